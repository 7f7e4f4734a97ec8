//! Tests of [`super`], on the example of the protocol's documentation.

use super::*;

const KEY: &str = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh";
const SECRET: &str = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=";
const INPUT: &str = r#"sig1=("@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" "audiohook-correlation-id" "x-api-key");keyid="SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh";nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";alg="hmac-sha256";created=1641013200;expires=3282026430"#;
const SIGNATURE: &str = "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:";
const CREATED_S: u64 = 1_641_013_200;

fn headers() -> Vec<(String, String)> {
    [
        ("audiohook-organization-id", "d7934305-0972-4844-938e-9060eef73d05"),
        ("audiohook-session-id", "30b0e395-84d3-4570-ac13-9a62d8f514c0"),
        ("audiohook-correlation-id", "e160e428-53e2-487c-977d-96989bf5c99d"),
        ("x-api-key", KEY),
        ("signature", SIGNATURE),
        ("signature-input", INPUT),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn verifier() -> Verifier {
    let mut keys = Keys::default();
    keys.add(KEY, SECRET).unwrap();
    Verifier::new(keys)
}

fn verify(headers: &[(String, String)], now_s: u64) -> Result<(), Refused> {
    let request = Request { target: "/api/v1/voicebiometrics/ws", authority: "audiohook.example.com", headers };
    verifier().verify(&request, now_s)
}

fn with(name: &str, value: &str) -> Vec<(String, String)> {
    let mut headers = headers();
    headers.iter_mut().filter(|(header, _)| header == name).for_each(|header| header.1 = value.into());
    headers
}

#[test]
fn the_example_of_the_documentation_is_good_for_ten_seconds() {
    assert_eq!(verify(&headers(), CREATED_S), Ok(()));
    assert_eq!(verify(&headers(), CREATED_S + AGE_MAX_S), Ok(()));
    assert_eq!(verify(&headers(), CREATED_S + AGE_MAX_S + 1), Err(Refused::OutOfTime));
    assert_eq!(verify(&headers(), CREATED_S - SKEW_MAX_S), Ok(()));
    assert_eq!(verify(&headers(), CREATED_S - SKEW_MAX_S - 1), Err(Refused::OutOfTime));
}

#[test]
fn whatever_is_changed_the_signature_no_longer_fits() {
    for (name, value) in headers().iter().filter(|(name, _)| name.starts_with("audiohook")) {
        let changed = with(name, &format!("{value}0"));
        assert_eq!(verify(&changed, CREATED_S), Err(Refused::Wrong), "{name}");
    }
    for (target, authority) in
        [("/api/v1/other", "audiohook.example.com"), ("/api/v1/voicebiometrics/ws", "other.example")]
    {
        let request = Request { target, authority, headers: &headers() };
        assert_eq!(verifier().verify(&request, CREATED_S), Err(Refused::Wrong));
    }
    assert_eq!(
        verify(&with("signature-input", &INPUT.replace("3282026430", "3282026431")), CREATED_S),
        Err(Refused::Wrong)
    );
    let mut keys = Keys::default();
    keys.add(KEY, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    let headers = headers();
    let request =
        Request { target: "/api/v1/voicebiometrics/ws", authority: "audiohook.example.com", headers: &headers };
    assert_eq!(Verifier::new(keys).verify(&request, CREATED_S), Err(Refused::Wrong));
    assert_eq!(Verifier::default().verify(&request, CREATED_S), Err(Refused::Wrong), "nobody's key");
}

#[test]
fn a_signature_is_good_once() {
    let mut verifier = verifier();
    let headers = headers();
    let request =
        Request { target: "/api/v1/voicebiometrics/ws", authority: "audiohook.example.com", headers: &headers };
    assert_eq!(verifier.verify(&request, CREATED_S), Ok(()));
    assert_eq!(verifier.verify(&request, CREATED_S + 1), Err(Refused::Replayed));
    assert_eq!(verifier.used.len(), 1);
}

#[test]
fn what_is_remembered_is_bounded_and_when_full_nothing_more_is_taken() {
    let mut verifier = verifier();
    for n in 0..NONCES_MAX {
        verifier.remember(&n.to_string(), CREATED_S).unwrap();
    }
    assert_eq!(verifier.remember("one more", CREATED_S), Err(Refused::Replayed));
    let later_s = CREATED_S + AGE_MAX_S + SKEW_MAX_S + 1;
    assert_eq!(verifier.remember("one more", later_s), Ok(()));
    assert_eq!(verifier.used.len(), 1, "the old ones are forgotten");
}

#[test]
fn a_request_without_a_whole_signature_is_refused() {
    let without = |name: &str| headers().into_iter().filter(|(header, _)| header != name).collect::<Vec<_>>();
    assert_eq!(verify(&without("signature"), CREATED_S), Err(Refused::Unsigned));
    assert_eq!(verify(&without("signature-input"), CREATED_S), Err(Refused::Unsigned));
    assert!(verify(&without("x-api-key"), CREATED_S).is_err());
    assert_eq!(verify(&without("audiohook-session-id"), CREATED_S), Err(Refused::NotCovered));
    let mut twice = headers();
    twice.push(("x-api-key".into(), KEY.into()));
    assert!(matches!(verify(&twice, CREATED_S), Err(Refused::Malformed(_))));
    for component in REQUIRED {
        let less = INPUT.replace(&format!("\"{component}\""), "\"x-other\"");
        assert_eq!(verify(&with("signature-input", &less), CREATED_S), Err(Refused::NotCovered), "{component}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_and_nothing_panics() {
    let changes = [
        (";alg=\"hmac-sha256\"", ";alg=\"rsa-v1_5-sha256\""),
        (";alg=\"hmac-sha256\"", ";tag=\"x\""),
        ("VGhpc0lzQVVuaXF1ZU5vbmNl", "short"),
        (";created=1641013200", ""),
        (";created=1641013200", ";created=\"1641013200\""),
        (";created=1641013200", ";created=-1"),
        (";created=1641013200", ";created=1641013200;created=1641013200"),
        ("\"@authority\"", "\"@authority\" \"@authority\""),
        ("\"@authority\"", "\"@authority\" \"@method\""),
        (")", ""),
        ("sig1=", "sig2="),
        ("sig1=", "="),
    ];
    for (from, to) in changes {
        let refused = verify(&with("signature-input", &INPUT.replace(from, to)), CREATED_S);
        assert!(matches!(refused, Err(Refused::Malformed(_))), "{from} → {to}: {refused:?}");
    }
    for at in 0..INPUT.len() {
        assert!(verify(&with("signature-input", &INPUT[..at]), CREATED_S).is_err());
        assert!(verify(&with("signature-input", &INPUT[at..]), CREATED_S).is_err() || at == 0);
    }
    for signature in ["", "sig1=", "sig1=::", "sig1=:?:", "sig1=:AAAA:", SIGNATURE.trim_end_matches(':')] {
        assert!(verify(&with("signature", signature), CREATED_S).is_err(), "{signature}");
    }
}

#[test]
fn a_secret_is_base64_and_long_enough() {
    assert!(Keys::default().add("a", "short").is_err());
    assert!(Keys::default().add("a", "AAAA").is_err());
    assert!(!format!("{:?}", verifier()).contains("MySuper"), "and never shown");
}
