//! Faults of TLS that no second try mends.

use std::{error::Error, io};

use rustls::CertificateError;

/// Why TLS came to nothing, with what to do; `None` for another fault.
pub(super) fn fault_of(error: &reqwest::Error) -> Option<String> {
    tls_error_within(error).and_then(sentence_about)
}

fn tls_error_within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // The source of an I/O error is not the error that it holds, but that one's source.
    let held = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .map(|held| -> &'a (dyn Error + 'static) { held });
    held.or_else(|| error.source()).and_then(tls_error_within)
}

fn sentence_about(error: &rustls::Error) -> Option<String> {
    Some(match error {
        rustls::Error::InvalidCertificate(fault) => {
            let why = match fault {
                CertificateError::UnknownIssuer => {
                    "nobody whom this machine trusts has signed it: name the file with the certificate of its authority \
                     in SSL_CERT_FILE"
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "it has expired: renew it, or correct the clock of this machine"
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "it is not valid yet: correct the clock of this machine"
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    "it is for another name: give the name that it is for with --url"
                }
                fault => return Some(format!("the server's certificate is not accepted: {fault}")),
            };
            format!("the server's certificate is not accepted: {why}")
        }
        // Plain HTTP, most often.
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS here: give http:// or its other port".to_owned()
        }
        _ => return None,
    })
}
