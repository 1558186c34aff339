use crate::running::Backend;
use std::fs;

/// Runs a backend that cannot start, and returns what it says.
fn refused(mut backend: Backend) -> String {
    backend.run();
    let status = backend.wait_end();
    let log = backend.log();
    assert!(!status.success(), "the backend started:\n{log}");
    log
}

fn says(log: &str, words: &[&str]) {
    for words in words {
        assert!(log.contains(words), "expected {words:?} in:\n{log}");
    }
}

#[test]
fn a_damaged_state_is_told_with_the_way_out() {
    let backend = Backend::prepare(|config, folder| {
        let store = folder.join("store");
        fs::create_dir(&store).unwrap();
        fs::write(store.join("state.db"), vec![b'x'; 10_000]).unwrap();
        config["store"]["directory"] = store.to_str().unwrap().into();
    });
    says(&refused(backend), &["state.db", "is damaged", "backup", "move both away"]);
}

#[test]
fn an_address_that_others_reach_needs_a_token_and_tls() {
    let backend = Backend::prepare(|config, _| config["api"]["listen"] = "0.0.0.0:0".into());
    says(&refused(backend), &["api.listen", "api.token_file", "api.certificate_file", "127.0.0.1"]);
}

#[test]
fn a_misspelt_key_is_answered_with_the_nearest() {
    let backend = Backend::prepare(|config, _| config["store"]["directry"] = "/tmp".into());
    says(&refused(backend), &["directry", "directory"]);
}

#[test]
fn a_missing_certificate_is_named() {
    let backend = Backend::prepare(|config, _| {
        config["ingest"]["certificate_file"] = "/nowhere/tls.crt".into();
    });
    says(&refused(backend), &["/nowhere/tls.crt", "ingest.certificate_file"]);
}

#[test]
fn a_key_of_another_certificate_is_named() {
    let backend = Backend::prepare(|_, _| {});
    let other = backend.authority.server();
    fs::write(backend.folder.path().join("tls.key"), other.key).unwrap();
    says(&refused(backend), &["tls.crt", "tls.key", "do not fit together"]);
}

#[test]
fn a_file_that_is_no_certificate_is_named() {
    let backend = Backend::prepare(|_, _| {});
    fs::write(backend.folder.path().join("ca.crt"), "hello").unwrap();
    says(&refused(backend), &["ca.crt", "no certificate", "BEGIN CERTIFICATE"]);
}

#[test]
fn a_token_that_could_be_guessed_is_refused() {
    let backend = Backend::prepare(|config, folder| {
        fs::write(folder.join("token"), "123456").unwrap();
        config["api"]["token_file"] = folder.join("token").to_str().unwrap().into();
    });
    says(&refused(backend), &["token", "16 to 1024"]);
}

#[tokio::test]
async fn a_damaged_day_of_events_does_not_keep_the_backend_from_starting() {
    let backend = Backend::start_with(|config, folder| {
        let store = folder.join("store");
        fs::create_dir(&store).unwrap();
        fs::write(store.join("events-2026-01-01.db"), vec![b'x'; 10_000]).unwrap();
        config["store"]["directory"] = store.to_str().unwrap().into();
    })
    .await;
    says(&backend.log(), &["events-2026-01-01.db", "set aside"]);
    assert!(backend.all("/api/v1/events").await.is_empty());
}

#[tokio::test]
async fn a_second_backend_on_the_same_folder_is_refused() {
    let first = Backend::start().await;
    let store = first.store();
    let second =
        Backend::prepare(|config, _| config["store"]["directory"] = store.to_str().unwrap().into());
    says(&refused(second), &["another backend uses"]);
}
