//! URLs, in every notation, by any parameter's name.

use seawall_guard::{Call, Error};
use serde_json::json;

use crate::stage::Stage;

#[test]
fn a_url_that_leads_inside_is_refused_however_it_is_written() {
    let stage = Stage::new();
    let run = stage.run("net_safe");
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.0.0.1",
        "127.1",
        "0177.0.0.1",
        "localhost",
        "localhost.",
        "foo.localhost",
        "127.0.0.1.nip.io",
        "metadata.google.internal",
        "169.254.169.254",
        "100.64.0.1",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "private.example",
        "nowhere.example",
        "user@127.0.0.1",
        "good.example@private.example",
    ] {
        for parameter in ["url", "link", "callback", "x"] {
            let url = format!("http://{host}/latest");
            let Err(Error::PolicyDenied(denied)) = run.admit(Call::new("fetch", json!({ parameter: url })))
            else {
                panic!("{parameter}={url} was admitted")
            };
            assert!(denied.code.as_str().starts_with("NET_"), "{url}: {denied}");
        }
    }
    for url in
        ["ftp://good.example/", "https://good.example:22/", "file:///etc/passwd", "gopher://good.example/"]
    {
        assert!(run.admit(Call::new("fetch", json!({ "url": url }))).is_err(), "{url}");
    }
}

#[test]
fn what_was_checked_is_what_the_tool_connects_to() {
    let stage = Stage::new();
    let run = stage.run("net_safe");
    let admitted = run.admit(Call::new("fetch", json!({ "link": "https://good.example:8443/a" }))).unwrap();
    let [resolved] = admitted.addresses() else { panic!() };
    assert_eq!((resolved.host.as_str(), resolved.port), ("good.example", 8443));
    assert_eq!(resolved.addresses, ["93.184.215.14".parse::<std::net::IpAddr>().unwrap()]);
}
