//! Certificates that are missing, wrong or out of date: told in words, and mended without a restart.

use crate::backend::{Backend, Vault};
use crate::certificates::{Authority, Pair};
use crate::process::Home;
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// Starts a publisher that trusts `authority` and has the `client` certificate, against a backend with `server`'s
/// certificate that takes clients of `clients`. Expects the words in `/readyz`; then puts things right under the
/// running publisher and expects it to connect.
fn expect(words: &[&str], wrong: impl FnOnce(&Home, &Authority) -> Option<Pair>) {
    let (home, authority, vault) = (Home::new(), Authority::new(), Vault::new());
    home.trust(&authority, &authority.client());
    let good = authority.server("localhost");
    let bad_server = wrong(&home, &authority);
    let server = bad_server.as_ref().unwrap_or(&good);
    let backend = Backend::start(&vault, server, &authority);
    let address = backend.address;
    home.configure(&format!("https://localhost:{}", address.port()), "16MiB");
    let mut publisher = home.start();
    publisher.wait_until_not_ready(words);
    assert!(publisher.is_running(), "{}", home.log());
    backend.kill();
    home.trust(&authority, &authority.client());
    let _backend = Backend::start_at(address, &vault, &good, &authority);
    publisher.wait_until_ready();
}

#[test]
fn a_missing_certificate_is_named_and_taken_up_once_it_is_mounted() {
    expect(&["[-]backend", "backend.certificate_file", "tls.crt", "mount the file"], |home, _| {
        fs::remove_file(home.path("tls.crt")).unwrap();
        None
    });
}

#[test]
fn a_missing_authority_is_named() {
    expect(&["backend.ca_file", "ca.crt", "mount the file"], |home, _| {
        fs::remove_file(home.path("ca.crt")).unwrap();
        None
    });
}

#[test]
fn a_key_that_is_no_key_is_named() {
    expect(&["backend.key_file", "tls.key", "must be a PEM file"], |home, _| {
        fs::write(home.path("tls.key"), "secret").unwrap();
        None
    });
}

#[test]
fn a_key_of_another_certificate_is_named() {
    expect(&["backend.key_file", "do not belong together"], |home, authority| {
        fs::write(home.path("tls.key"), authority.client().key).unwrap();
        None
    });
}

#[test]
fn a_backend_of_an_unknown_authority_is_not_trusted() {
    expect(&["not trusted", "backend.ca_file", "mount the authority"], |_, _| {
        Some(Authority::named("Somebody else's").server("localhost"))
    });
}

#[test]
fn a_backend_of_an_authority_that_was_made_anew_is_not_trusted() {
    expect(&["not trusted", "right name and the wrong key", "backend.ca_file"], |_, _| {
        Some(Authority::new().server("localhost"))
    });
}

#[test]
fn a_backend_of_another_name_is_not_trusted() {
    expect(&["not trusted", "backend.server_name"], |_, authority| {
        Some(authority.server("elsewhere.example"))
    });
}

#[test]
fn an_expired_certificate_of_the_backend_is_called_expired() {
    expect(&["not trusted", "it has expired"], |_, authority| {
        Some(authority.expired_server("localhost"))
    });
}

#[test]
fn a_client_certificate_of_an_unknown_authority_is_called_so() {
    expect(
        &["refused backend.certificate_file", "does not know the authority"],
        |home, authority| {
            home.trust(authority, &Authority::named("Somebody else's").client());
            None
        },
    );
}

#[test]
fn a_client_certificate_of_an_authority_that_was_made_anew_is_called_so() {
    expect(
        &["refused backend.certificate_file", "right name and another key"],
        |home, authority| {
            home.trust(authority, &Authority::new().client());
            None
        },
    );
}

#[test]
fn an_expired_client_certificate_is_called_expired() {
    expect(&["refused backend.certificate_file", "it has expired: renew it"], |home, authority| {
        home.trust(authority, &authority.expired_client());
        None
    });
}

#[test]
fn a_client_certificate_that_is_not_valid_yet_points_to_the_clocks() {
    expect(
        &["refused backend.certificate_file", "not valid yet", "compare the clocks"],
        |home, authority| {
            home.trust(authority, &authority.later_client());
            None
        },
    );
}

#[test]
fn something_that_is_no_backend_is_told_apart() {
    let (home, authority) = (Home::new(), Authority::new());
    home.trust(&authority, &authority.client());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    home.configure(
        &format!("https://localhost:{}", listener.local_addr().unwrap().port()),
        "16MiB",
    );
    // As long as the test lasts: each attempt is answered alike.
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let publisher = home.start();
    publisher.wait_until_not_ready(&["[-]backend", "speaks no TLS"]);
}

#[test]
fn a_backend_that_offers_nothing_newer_than_tls_1_2_is_refused() {
    let (home, authority) = (Home::new(), Authority::new());
    home.trust(&authority, &authority.client());
    let server = authority.server("localhost");
    fs::write(home.path("server.pem"), format!("{}{}", server.certificate, server.key)).unwrap();
    let port = free_ports::free_port();
    let mut openssl = Command::new("openssl")
        .args([
            "s_server",
            "-tls1_2",
            "-alpn",
            "h2",
            "-quiet",
            "-accept",
            &port.to_string(),
            "-cert",
        ])
        .arg(home.path("server.pem"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    home.configure(&format!("https://localhost:{port}"), "16MiB");
    let publisher = home.start();
    publisher.wait_until_not_ready(&["[-]backend", "offers no TLS 1.3", "upgrade it"]);
    openssl.kill().unwrap();
    openssl.wait().unwrap();
}

#[test]
fn a_name_that_nobody_knows_is_told() {
    let (home, authority) = (Home::new(), Authority::new());
    home.trust(&authority, &authority.client());
    home.configure("https://no-such-host.invalid:443", "16MiB");
    let publisher = home.start();
    publisher.wait_until_not_ready(&["[-]backend", "no-such-host.invalid", "is not found"]);
}
