//! Who asks: by bearer token, or by a client certificate.

use http::{HeaderMap, header};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use uuid::Uuid;
use x509_parser::prelude::{FromDer, X509Certificate};

/// One who is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// What rights are bound to.
    pub name: String,
    /// Empty where the authenticator gives none.
    #[serde(default)]
    pub uid: String,
    /// What rights are bound to as well.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl User {
    /// A user with no groups but that of all who are known.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), uid: String::new(), groups: vec![AUTHENTICATED.to_owned()] }
    }

    /// One who may do everything.
    pub fn admin() -> Self {
        Self::new("kubernetes-admin").with_group("system:masters")
    }

    /// What a token of a service account stands for.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::new(&format!("system:serviceaccount:{namespace}:{name}"))
            .with_group("system:serviceaccounts")
            .with_group(&format!("system:serviceaccounts:{namespace}"))
    }

    /// The same in one group more.
    #[must_use]
    pub fn with_group(mut self, group: &str) -> Self {
        self.groups.push(group.to_owned());
        self
    }

    fn anonymous() -> Self {
        let groups = vec!["system:unauthenticated".to_owned()];
        Self { name: "system:anonymous".to_owned(), uid: String::new(), groups }
    }
}

const AUTHENTICATED: &str = "system:authenticated";

/// The tokens that are accepted.
#[derive(Debug, Default)]
pub struct Credentials {
    tokens: HashMap<String, User>,
    /// Whether requests without credentials are those of `system:anonymous`, or refused.
    pub admits_anonymous: bool,
}

impl Credentials {
    /// Accepts `token` from now on.
    pub fn accept(&mut self, token: &str, user: User) {
        self.tokens.insert(token.to_owned(), user);
    }

    /// No longer accepts `token`.
    pub fn revoke(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    /// No longer accepts any token of `user`, but the new one that it returns.
    pub fn rotate(&mut self, user: &User) -> String {
        self.tokens.retain(|_, other| other.name != user.name);
        self.issue(user.clone())
    }

    /// A new token of `user`.
    pub fn issue(&mut self, user: User) -> String {
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.accept(&token, user);
        token
    }

    /// Who sends a request, by its headers and the certificate of its connection.
    pub fn user(&self, headers: &HeaderMap, certificate: Option<&User>) -> Option<User> {
        if let Some(user) = certificate {
            return Some(user.clone());
        }
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return self.admits_anonymous.then(User::anonymous);
        };
        let token = value.to_str().ok()?.strip_prefix("Bearer ")?;
        self.tokens.get(token).cloned()
    }
}

/// The user of a client certificate: its common name, in the groups of its organizations.
pub fn certificate_user(certificate: &CertificateDer) -> Option<User> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?;
    let groups = subject.iter_organization().filter_map(|group| group.as_str().ok());
    Some(groups.fold(User::new(name), User::with_group))
}
