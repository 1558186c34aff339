use super::{Bytes, ConfigProblem, KnownKeys, ServiceConfig, SharedConfig, load, printable};
use crate::{AdminConfig, LogConfig, ShutdownConfig};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    spool: Spool,
    paths: Vec<PathBuf>,
    users: Vec<u32>,
    labels: BTreeMap<String, String>,
    tls: Option<Tls>,
    log: LogConfig,
    admin: AdminConfig,
    shutdown: ShutdownConfig,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Spool {
    directory: PathBuf,
    maximum_bytes: Bytes,
    compressed: bool,
    name: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    key_file: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            spool: Spool::default(),
            paths: vec!["/etc/defender".into()],
            users: vec![0, 65532],
            labels: BTreeMap::new(),
            tls: None,
            log: LogConfig::default(),
            admin: AdminConfig::on_port(9199),
            shutdown: ShutdownConfig::default(),
        }
    }
}

impl Default for Spool {
    fn default() -> Self {
        Self {
            directory: "/var/lib/spool".into(),
            maximum_bytes: Bytes::gibibytes(2),
            compressed: true,
            name: String::new(),
        }
    }
}

impl ServiceConfig for Config {
    fn shared(&self) -> SharedConfig<'_> {
        SharedConfig { log: &self.log, admin: &self.admin, shutdown: &self.shutdown }
    }

    fn validate(&self) -> Result<(), ConfigProblem> {
        if self.spool.maximum_bytes < Bytes::mebibytes(1) {
            return Err(ConfigProblem::new("spool.maximum_bytes", "must be at least 1MiB"));
        }
        Ok(())
    }
}

/// Loads `yaml` under these variables. Errors are shown without the name of the temporary file.
fn load_from(yaml: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), yaml).unwrap();
    let variables = variables.iter().map(|(name, text)| (OsString::from(name), text.into()));
    load(Some(file.path()), variables, &[]).map_err(|error| {
        let refusal = error.to_string();
        let problems = refusal.strip_prefix("wrong configuration:\n").unwrap_or(&refusal);
        problems.replace(&file.path().display().to_string(), "spool.yaml")
    })
}

fn refusal_of(yaml: &str, variables: &[(&str, &str)]) -> String {
    load_from(yaml, variables).expect_err(yaml)
}

#[test]
fn without_file_and_variables_the_defaults_hold() {
    let none: [(OsString, OsString); 0] = [];
    assert_eq!(load::<Config>(None, none, &[]).unwrap(), Config::default());
    for nothing in ["", "\n", "# only a comment\n", "---\n", "spool:\n", "{}"] {
        assert_eq!(load_from(nothing, &[]).as_ref(), Ok(&Config::default()), "{nothing:?}");
    }
}

#[test]
fn the_file_wins_over_defaults_and_the_environment_over_the_file() {
    let yaml = "
spool:
  directory: /data
  maximum_bytes: 16MiB
users: [1, 2]
";
    let variables = [
        ("DEFENDER_SPOOL__MAXIMUM_BYTES", "32MiB"),
        ("DEFENDER_SPOOL__COMPRESSED", "false"),
        ("DEFENDER_SPOOL__NAME", "123"),
        ("DEFENDER_PATHS", "/one,/two"),
        ("DEFENDER_ADMIN__LISTEN", "0.0.0.0:9000"),
        ("DEFENDER_TLS__KEY_FILE", "/tls.key"),
        ("DEFENDER_LABELS__ZONE", "west"),
    ];
    let config = load_from(yaml, &variables).unwrap();
    assert_eq!(config.spool.directory, PathBuf::from("/data"));
    assert_eq!(config.spool.maximum_bytes, Bytes::mebibytes(32));
    assert!(!config.spool.compressed);
    assert_eq!(config.spool.name, "123", "text stays text");
    assert_eq!(config.users, [1, 2]);
    assert_eq!(config.paths, [PathBuf::from("/one"), PathBuf::from("/two")]);
    assert_eq!(config.admin.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(config.tls, Some(Tls { key_file: "/tls.key".into() }));
    assert_eq!(config.labels["zone"], "west");
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_key() {
    let refusal = refusal_of("spool:\n  directory: /data\n  maximum_byte: 1GiB\n", &[]);
    assert_eq!(
        refusal,
        "spool.yaml:3:3: unknown key spool.maximum_byte; did you mean spool.maximum_bytes?"
    );
}

#[test]
fn a_known_key_in_the_wrong_section_is_led_home() {
    let refusal = refusal_of("log: {level: debug}\ndirectory: /data\n", &[]);
    assert_eq!(refusal, "spool.yaml:2:1: unknown key directory; did you mean spool.directory?");
}

#[test]
fn a_key_like_no_other_is_answered_with_what_there_is() {
    let refusal = refusal_of("spool:\n  zebra: 1\ngiraffe: 2\n", &[]);
    assert_eq!(
        refusal,
        "spool.yaml:2:3: unknown key spool.zebra; spool has the keys compressed, directory, \
         maximum_bytes, name\n\
         spool.yaml:3:1: unknown key giraffe; the top keys are admin, labels, log, paths, \
         shutdown, spool, tls, users"
    );
}

#[test]
fn an_unknown_override_is_refused_by_its_name() {
    let refusal = refusal_of("", &[("DEFENDER_SPOOL__DIRECTOR", "/data")]);
    assert_eq!(
        refusal,
        "environment variable DEFENDER_SPOOL__DIRECTOR: unknown key spool.director; did you mean \
         DEFENDER_SPOOL__DIRECTORY (spool.directory)?"
    );
    let refusal = refusal_of("", &[("DEFENDER_SPOOL_DIRECTORY", "/data")]);
    assert!(refusal.contains("write DEFENDER_SPOOL__DIRECTORY, with two"), "{refusal}");
    let refusal = refusal_of("", &[("DEFENDER_SPOOL", "/data")]);
    assert!(refusal.contains("names a section; set one of DEFENDER_SPOOL__"), "{refusal}");
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_are_left_alone() {
    let variables = [
        ("DEFENDER_CONFIG", "/etc/defender/spool.yaml"),
        ("DEFENDER_SERVICE_HOST", "10.0.0.1"),
        ("DEFENDER_PORT_443_TCP_ADDR", "10.0.0.1"),
        ("DEFENDER_BACKEND_SERVICE_PORT_HTTPS", "443"),
        ("PATH", "/bin"),
    ];
    assert_eq!(load_from("", &variables).as_ref(), Ok(&Config::default()));
}

#[test]
fn a_wrong_type_is_refused_with_its_place_and_what_is_expected() {
    for (yaml, expected) in [
        (
            "spool:\n  compressed: 3\n",
            "spool.yaml:2:15: spool.compressed: invalid type: integer `3`, expected a boolean (the \
             default is true)",
        ),
        (
            "spool:\n  maximum_bytes: many\n",
            "spool.yaml:2:18: spool.maximum_bytes: \"many\" is no number of bytes: write it like \
             16MiB, 2GiB or 4096 (the default is \"2GiB\")",
        ),
        (
            "users: [0, root]\n",
            "spool.yaml:1:12: users.1: invalid type: string \"root\", expected u32",
        ),
        (
            "spool: /data\n",
            "spool.yaml:1:8: spool: expected a section with the keys compressed, directory, \
             maximum_bytes, name",
        ),
        (
            "admin: {listen: 9102}\n",
            "spool.yaml:1:17: admin.listen: invalid type: integer `9102`, expected socket address \
             (the default is \"127.0.0.1:9199\")",
        ),
        ("- a\n- b\n", "spool.yaml:1:1: expected `key: value` lines at the top of the file"),
    ] {
        assert_eq!(refusal_of(yaml, &[]), expected);
    }
}

#[test]
fn a_wrong_type_in_the_environment_is_refused_by_the_variables_name() {
    let refusal = refusal_of("", &[("DEFENDER_SHUTDOWN__GRACE_SECONDS", "soon")]);
    assert_eq!(
        refusal,
        "environment variable DEFENDER_SHUTDOWN__GRACE_SECONDS: shutdown.grace_seconds: invalid \
         type: string \"soon\", expected u64 (the default is 10)"
    );
    let name = OsString::from("DEFENDER_SPOOL__NAME");
    let refusal = load::<Config>(None, [(name, OsString::from_vec(vec![0xff]))], &[]);
    let refusal = refusal.expect_err("not UTF-8").to_string();
    assert!(refusal.contains("spool.name: not valid UTF-8"), "{refusal}");
}

#[test]
fn keys_below_an_optional_section_are_checked_too() {
    let refusal = refusal_of("tls:\n  keyfile: /tls.key\n", &[]);
    assert!(refusal.starts_with("spool.yaml:2:"), "{refusal}");
    assert!(refusal.contains("unknown field `keyfile`, expected `key_file`"), "{refusal}");
}

#[test]
fn a_value_out_of_bounds_is_refused_where_it_was_written() {
    let refusal = refusal_of("spool:\n  maximum_bytes: 4096\n", &[]);
    assert_eq!(refusal, "spool.yaml:2:18: spool.maximum_bytes: must be at least 1MiB");
    let refusal = refusal_of("", &[("DEFENDER_SHUTDOWN__GRACE_SECONDS", "0")]);
    assert!(refusal.starts_with("environment variable DEFENDER_SHUTDOWN__GRACE_SECONDS: "));
    let refusal = refusal_of("log: {level: loud}\n", &[]);
    assert!(refusal.starts_with("spool.yaml:1:14: log.level: "), "{refusal}");
}

#[test]
fn broken_yaml_is_refused_with_its_place() {
    for yaml in [
        "spool:\n  directory: [\n",
        "spool:\n  name: a\n  name: b\n",
        "spool: *nothing\n",
        "spool:\n\tname: a\n",
        "a: 1\n---\nb: 2\n",
    ] {
        let refusal = refusal_of(yaml, &[]);
        assert!(refusal.starts_with("spool.yaml:"), "{yaml:?} gave {refusal}");
        let line = refusal.split(':').nth(1).and_then(|line| line.parse::<u32>().ok());
        assert!(line.is_some_and(|line| line >= 1), "{yaml:?} gave {refusal}");
        assert!(!refusal.contains('\n'), "{yaml:?} gave {refusal}");
    }
}

#[test]
fn a_file_that_cannot_be_a_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let none: [(OsString, OsString); 0] = [];
    let missing = folder.path().join("missing.yaml");
    let refusal =
        load::<Config>(Some(&missing), none.clone(), &[]).expect_err("missing").to_string();
    assert!(refusal.contains("missing.yaml: No such file"), "{refusal}");
    let refusal = load::<Config>(Some(folder.path()), none.clone(), &[]).expect_err("a folder");
    assert!(refusal.to_string().contains("Is a directory"), "{refusal}");
    let huge = folder.path().join("huge.yaml");
    std::fs::write(&huge, "#".repeat(2 << 20)).unwrap();
    let refusal = load::<Config>(Some(&huge), none, &[]).expect_err("too large").to_string();
    assert!(refusal.contains("huge.yaml: it has more than"), "{refusal}");
}

#[test]
fn what_is_printed_can_be_loaded_again() {
    let config = load_from("users: [7]\nspool: {maximum_bytes: 3MiB}\n", &[]).unwrap();
    let printed = printable(&config).unwrap();
    assert_eq!(load_from(&printed, &[]).as_ref(), Ok(&config), "{printed}");
}

#[test]
fn every_value_is_listed_with_its_default() {
    let keys = KnownKeys::of(&Config::default()).unwrap();
    let values = keys.values();
    let lines: Vec<String> =
        values.iter().map(|(path, default)| format!("{}={default}", path.join("."))).collect();
    assert!(lines.contains(&"spool.maximum_bytes=\"2GiB\"".to_owned()), "{lines:?}");
    assert!(lines.contains(&"labels={}".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("spool=")), "{lines:?}");
}

#[test]
fn a_flag_wins_over_file_and_environment_and_is_named_where_it_is_wrong() {
    const FLAG: crate::Flag =
        crate::Flag { name: "bytes", value_name: "SIZE", key: "spool.maximum_bytes", help: "Much" };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "spool: { maximum_bytes: 3MiB }\n").unwrap();
    let load_with = |text: &str| {
        let variable = (OsString::from("DEFENDER_SPOOL__MAXIMUM_BYTES"), OsString::from("4MiB"));
        load::<Config>(Some(file.path()), [variable], &[(FLAG, text.to_owned())])
    };
    assert_eq!(load_with("5MiB").unwrap().spool.maximum_bytes, Bytes::mebibytes(5));
    for wrong in ["much", "1kB"] {
        let refusal = load_with(wrong).unwrap_err().to_string();
        assert!(refusal.contains("--bytes: spool.maximum_bytes: "), "{refusal}");
    }
}
