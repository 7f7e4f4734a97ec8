//! `oneside serve` itself: its configuration, its signals, its API; the sources have files of their own.

use serde_json::json;

use crate::serve_common::Server;

#[test]
fn it_serves_is_steered_reads_its_configuration_again_and_ends() {
    let mut server = Server::start_with("serve-plain", "purposes = [\"training\"]", "");
    let (status, calls) = server.request("GET", "/v1/calls", None);
    assert_eq!((status, calls), (200, json!([])));
    let (status, problem) =
        server.request("POST", "/v1/expected", Some(json!({ "source": "audiosocket", "call": "a" })));
    assert_eq!((status, &problem["code"]), (409, &json!("source")), "{problem}");
    let (status, _) = server.request("DELETE", "/v1/expected/nobody", None);
    assert_eq!(status, 404);
    let (status, _) = server.request("GET", "/metrics", None);
    assert_eq!(status, 200);
    server.signal("HUP");
    server.wait_for("the configuration was read again");
    let (code, said, _scratch) = server.end();
    assert_eq!(code, 0, "{said:?}");
}
