//! Certificates of every kind that a test needs, made anew for each.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::sync::Arc;

/// Signs certificates.
#[derive(Clone)]
pub struct Authority {
    issuer: Arc<Issuer<'static, KeyPair>>,
    /// Its own certificate, PEM.
    pub pem: String,
}

/// A certificate and its key, PEM.
#[derive(Clone)]
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, "test authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Arc::new(Issuer::new(parameters, key)), pem }
    }

    /// The receiver's certificate.
    pub fn receiver(&self) -> Identity {
        self.sign(&CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap())
    }

    /// An API server's certificate.
    pub fn api_server(&self) -> Identity {
        self.sign(&CertificateParams::new(vec!["kube-apiserver".to_owned()]).unwrap())
    }

    pub fn expired(&self) -> Identity {
        let mut parameters = CertificateParams::new(vec!["kube-apiserver".to_owned()]).unwrap();
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&parameters)
    }

    fn sign(&self, parameters: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}
