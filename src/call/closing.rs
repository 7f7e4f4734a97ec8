//! What a call leaves behind when it is closed: facts, no sound.

use serde::Serialize;

use super::tally::{Account, Tally};
use crate::audio::MediaTime;
use crate::bleed::Leak;
use crate::consent::{Dropped, Entry, Kept};
use crate::split::{Finding, MissingParty, Remedy};

/// Every call ends in one of these (ROB-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// What could be kept was kept.
    Recorded,
    /// A doubt withheld both sides.
    Quarantined,
    /// The process died or the store failed in mid-call; what stood by then was sealed.
    Interrupted,
}

/// The facts of a closed call.
#[derive(Clone, Debug)]
pub struct Closing {
    /// How it ended.
    pub result: CallResult,
    /// Its length.
    pub length: MediaTime,
    /// Its rate, samples per second.
    pub rate_hz: u32,
    /// What went in and what became of it.
    pub tally: Tally,
    /// How much of the customer may have leaked into the agent's track.
    pub leak: Leak,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Every event and its effect.
    pub ledger: Vec<Entry>,
    /// The stretches of the customer's track that may be kept, each closed.
    pub kept: Vec<Kept>,
}

impl Closing {
    /// The result that the findings call for.
    pub(super) fn result_of(findings: &[Finding]) -> CallResult {
        match findings.iter().any(|finding| finding.remedy() == Remedy::BothWithheld) {
            true => CallResult::Quarantined,
            false => CallResult::Recorded,
        }
    }

    /// What the figures of a call call for: events that did not count or lie behind the end, sound that did not come, a
    /// party that never came. `awaited`: the customer was to come and to be decoded, and has not said no; else nobody
    /// waited for her, and her no may be why nothing was sent.
    pub(crate) fn notes(tally: &Tally, rate_hz: u32, [rejected, beyond_end]: [u64; 2], awaited: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        if rejected > 0 {
            findings.push(Finding::EventsRejected { count: rejected });
        }
        if beyond_end > 0 {
            findings.push(Finding::EventsBeyondEnd { count: beyond_end });
        }
        let seconds = |frames: u64| MediaTime(frames).seconds(rate_hz);
        let (lost, absent) = (tally.agent.left_out(Dropped::Lost), tally.agent.left_out(Dropped::Absent));
        if lost > 0 {
            findings.push(Finding::FramesLost { frames: lost, seconds: seconds(lost) });
        }
        if absent > 0 {
            findings.push(Finding::SenderSilent { frames: absent, seconds: seconds(absent) });
        }
        if never_came(&tally.agent) {
            findings.push(Finding::PartyMissing { party: MissingParty::Agent });
        }
        if awaited && never_came(&tally.customer) {
            findings.push(Finding::PartyMissing { party: MissingParty::Customer });
        }
        findings
    }
}

/// Whether nothing of a side ever came: silence was laid for all of it. What came and was not decoded did come.
fn never_came(account: &Account) -> bool {
    let silence = account.left_out(Dropped::Lost) + account.left_out(Dropped::Absent);
    silence > 0 && silence + account.left_out(Dropped::Interrupted) == account.heard
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Span, Stereo};
    use crate::call::{Call, Missing, Of, Opening, Outlet};
    use crate::consent::{Act, Cleared, Decision, Event, Notice, PartyId, Stamped};
    use crate::voice::Speech;

    fn account(heard: u64, parts: &[(Dropped, u64)]) -> Account {
        let mut account = Account::default();
        account.heard = heard;
        parts.iter().for_each(|(reason, samples)| account.leave_out(*reason, *samples));
        account.written = heard - parts.iter().map(|(_, samples)| samples).sum::<u64>();
        account
    }

    fn missing(agent: Account, customer: Account, awaited: bool) -> Vec<&'static str> {
        named(&Closing::notes(&Tally { agent, customer }, 8_000, [0, 0], awaited))
    }

    fn named(findings: &[Finding]) -> Vec<&'static str> {
        let of = |finding: &Finding| match finding {
            Finding::PartyMissing { party: MissingParty::Agent } => Some("agent"),
            Finding::PartyMissing { party: MissingParty::Customer } => Some("customer"),
            _ => None,
        };
        findings.iter().filter_map(of).collect()
    }

    #[test]
    fn a_party_is_missing_if_silence_stands_for_all_of_it_and_only_then() {
        let here = || account(800, &[(Dropped::NotSpeech, 100), (Dropped::Absent, 600)]);
        let never = || account(800, &[(Dropped::Absent, 700), (Dropped::Lost, 100)]);
        assert_eq!(missing(here(), here(), true), Vec::<&str>::new());
        assert_eq!(missing(here(), never(), true), ["customer"]);
        assert_eq!(missing(never(), here(), true), ["agent"]);
        assert_eq!(missing(never(), never(), true), ["agent", "customer"]);
        assert_eq!(missing(here(), never(), false), Vec::<&str>::new(), "nobody waited for her");
        let undecoded = account(800, &[(Dropped::Absent, 700), (Dropped::Undecoded, 100)]);
        assert_eq!(missing(here(), undecoded, true), Vec::<&str>::new(), "it came");
        let cut = account(800, &[(Dropped::Absent, 700), (Dropped::Interrupted, 100)]);
        assert_eq!(missing(here(), cut, true), ["customer"]);
        assert_eq!(missing(account(0, &[]), account(0, &[]), true), Vec::<&str>::new(), "there was no time to come");
    }

    /// What is missing of a call of a second whose customer never came and of whom this was said.
    fn missing_after(events: &[Event]) -> Vec<&'static str> {
        struct Nowhere;
        impl Outlet for Nowhere {
            fn write(&mut self, _sound: Cleared<'_>) {}
            fn erase_customer(&mut self, _span: Span) {}
        }
        let mut call = Call::open(Opening::new("call", 8_000));
        call.missing_of(Of::Customer, Span::new(MediaTime(0), MediaTime(8_000)), Missing::Absent);
        for event in events {
            call.take_now(Stamped::placed(MediaTime::ZERO, None, event.clone(), 8_000), &mut Nowhere);
        }
        for at in (0..8_000).step_by(160) {
            let sound = Stereo::new(MediaTime(at), &[100; 160], &[0; 160]);
            call.listen(&sound);
            call.settle(&sound, Speech(true), &mut Nowhere);
        }
        named(&call.close(&mut Nowhere).findings)
    }

    #[test]
    fn a_customer_who_says_no_and_never_comes_is_not_missing() {
        let party = PartyId::default;
        let refused = || Event::Refused { party: party() };
        let withdrawn = || Event::Withdrawn { party: party(), purposes: Vec::new() };
        let left = || Event::Left { party: party() };
        let joined = || Event::Joined { party: PartyId("other".into()) };
        let told = || {
            let notice = Notice { notice: "std".into(), version: "1".into(), language: None };
            Event::Told { party: None, notice }
        };
        let granted = || {
            let act = Act::Dtmf { digit: '1' };
            Event::Granted(Decision { party: party(), act, purposes: vec!["training".into()], basis: None })
        };
        for silent in [&[refused()][..], &[told(), granted(), withdrawn()], &[refused(), Event::HungUp, left()]] {
            assert_eq!(missing_after(silent), Vec::<&str>::new(), "{silent:?}");
        }
        for awaited in
            [&[][..], &[told(), granted()], &[told(), refused(), granted()], &[left()], &[refused(), left(), joined()]]
        {
            assert_eq!(missing_after(awaited), ["customer"], "{awaited:?}");
        }
    }
}
