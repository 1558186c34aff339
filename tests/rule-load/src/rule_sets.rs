//! Rule sets of different sizes.

use anyhow::Result;
use detection::{Engine, RuleSet, SourceFile};

/// Rules from the texts of files.
pub fn load(texts: &[String]) -> Result<Engine> {
    let sources: Vec<_> =
        texts.iter().map(|text| SourceFile { name: "rules.yaml", text }).collect();
    Ok(Engine::compile(RuleSet::load(&sources)?))
}

/// A file for each of so many rules, of the shapes that rules in the field have. None matches what an ordinary node does.
pub fn synthetic(count: usize) -> Vec<String> {
    (0..count).map(|number| file(number, &condition(number))).collect()
}

fn file(number: usize, condition: &str) -> String {
    format!(
        "- rule: Rule {number}\n  desc: One of many.\n  condition: >\n    {condition}\n  \
         output: 'rule {number} | command=%proc.cmdline'\n  priority: NOTICE\n"
    )
}

fn condition(number: usize) -> String {
    let started = "evt.type in (execve, execveat)";
    let high = number / 250;
    let low = number % 250;
    match number % 10 {
        0 => format!(
            "{started} and proc.name in (tool{number}, tool{number}d) and proc.pname != init{number}"
        ),
        1 => format!("{started} and proc.args contains \"--option-{number}=\""),
        2 => format!(
            "{started} and proc.exepath startswith /opt/vendor{number}/ and not user.uid = 0"
        ),
        3 => format!(
            "{started} and container.id != host and proc.cmdline icontains anyof (pool{number}, Wallet{number})"
        ),
        4 => format!(
            "evt.type in (open, openat, openat2) and evt.is_open_write = true and fd.name startswith /srv/data{number}/"
        ),
        5 => format!(
            "evt.type in (open, openat, openat2) and fd.name in (/etc/app{number}.conf, /etc/app{number}.d/main) and not proc.name = app{number}"
        ),
        6 => format!(
            "evt.type = connect and fd.sip = 10.{high}.{low}.1 and not proc.aname in (agent{number})"
        ),
        7 => format!(
            "evt.type in (rename, unlink, unlinkat) and fd.name endswith \"/state{number}.db\" and proc.name != db{number}"
        ),
        8 => format!("{started} and proc.aname = server{number} and proc.name in (sh, bash, dash)"),
        _ => format!(
            "({started} or evt.type = clone) and (proc.name = miner{number} or proc.args contains \"stratum{number}\")"
        ),
    }
}
