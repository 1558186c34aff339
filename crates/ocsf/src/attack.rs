//! Tactics and techniques of MITRE ATT&CK, from a rule's tags: `mitre_persistence`, `T1053`, `T1053.003`.

mod technique;

use crate::object::Object;
use serde_json::Value;

/// Tactics of the enterprise matrix, by the tag that names them.
const TACTICS: [(&str, &str, &str); 14] = [
    ("mitre_reconnaissance", "TA0043", "Reconnaissance"),
    ("mitre_resource_development", "TA0042", "Resource Development"),
    ("mitre_initial_access", "TA0001", "Initial Access"),
    ("mitre_execution", "TA0002", "Execution"),
    ("mitre_persistence", "TA0003", "Persistence"),
    ("mitre_privilege_escalation", "TA0004", "Privilege Escalation"),
    ("mitre_defense_evasion", "TA0005", "Defense Evasion"),
    ("mitre_credential_access", "TA0006", "Credential Access"),
    ("mitre_discovery", "TA0007", "Discovery"),
    ("mitre_lateral_movement", "TA0008", "Lateral Movement"),
    ("mitre_collection", "TA0009", "Collection"),
    ("mitre_exfiltration", "TA0010", "Exfiltration"),
    ("mitre_command_and_control", "TA0011", "Command and Control"),
    ("mitre_impact", "TA0040", "Impact"),
];

/// The attacks that tags name. Tags do not say which technique serves which tactic: they are told together only where
/// there is one tactic, else each by itself.
pub fn attacks(tags: &[String]) -> Vec<Value> {
    let tactics: Vec<Value> = tags.iter().filter_map(|tag| tactic(tag)).map(Value::from).collect();
    let techniques: Vec<Object> = tags.iter().filter_map(|tag| technique(tag)).collect();
    if let ([tactic], false) = (tactics.as_slice(), techniques.is_empty()) {
        let with_tactic = |technique: Object| technique.with("tactic", tactic.clone()).into();
        return techniques.into_iter().map(with_tactic).collect();
    }
    let alone = tactics.into_iter().map(|tactic| Object::new().with("tactic", tactic));
    alone.chain(techniques).map(Value::from).collect()
}

/// Whether a tag names a tactic or a technique.
pub fn is_attack(tag: &str) -> bool {
    tactic(tag).is_some() || technique(tag).is_some()
}

fn tactic(tag: &str) -> Option<Object> {
    let (_, uid, name) = TACTICS.into_iter().find(|(known, ..)| *known == tag)?;
    let page = format!("https://attack.mitre.org/tactics/{uid}");
    Some(Object::new().with("uid", uid).with("name", name).with("src_url", page))
}

/// The technique, and where the tag has one the sub-technique.
fn technique(tag: &str) -> Option<Object> {
    let (technique, sub) = match tag.split_once('.') {
        Some((technique, sub)) => (technique, Some(sub)),
        None => (tag, None),
    };
    let is_number = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let number = technique.strip_prefix('T').filter(|number| is_number(number, 4))?;
    if sub.is_some_and(|sub| !is_number(sub, 3)) {
        return None;
    }
    let page = |path: &str| format!("https://attack.mitre.org/techniques/{path}");
    let known = |uid: String, page: String| {
        let name = technique::name(&uid);
        Object::new().with("uid", uid).with_some("name", name).with("src_url", page)
    };
    let attack = Object::new().with("technique", known(format!("T{number}"), page(technique)));
    let sub = sub.map(|sub| known(tag.to_owned(), page(&format!("{technique}/{sub}"))));
    Some(attack.with_some("sub_technique", sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|&tag| tag.to_owned()).collect()
    }

    #[test]
    fn a_sub_technique_names_its_technique_and_the_only_tactic() {
        let attacks = attacks(&tags(&["host", "mitre_execution", "T1059.004"]));
        assert_eq!(attacks.len(), 1);
        assert_eq!(attacks[0]["technique"]["uid"], "T1059");
        assert_eq!(attacks[0]["sub_technique"]["uid"], "T1059.004");
        assert_eq!(attacks[0]["sub_technique"]["name"], "Unix Shell");
        assert_eq!(attacks[0]["tactic"]["uid"], "TA0002");
        let page = "https://attack.mitre.org/techniques/T1059/004";
        assert_eq!(attacks[0]["sub_technique"]["src_url"], page);
    }

    #[test]
    fn of_several_tactics_none_is_claimed_for_a_technique() {
        let attacks = attacks(&tags(&["mitre_execution", "mitre_persistence", "T1053"]));
        let told: Vec<_> = attacks
            .iter()
            .map(|attack| (attack["tactic"]["name"].as_str(), attack["technique"]["uid"].as_str()))
            .collect();
        let expected =
            [(Some("Execution"), None), (Some("Persistence"), None), (None, Some("T1053"))];
        assert_eq!(told, expected);
    }

    #[test]
    fn other_tags_are_no_attacks() {
        assert!(attacks(&tags(&["T105", "T1059.4", "Task", "mitre_", "é", "T1é59"])).is_empty());
    }
}
