//! How a store is talked to: how long one waits for it, and whom one trusts.

use std::sync::Once;
use std::time::Duration;

use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};

/// How long one waits for a store that is busy or does not answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// A task has begun, and its work would be lost: about a minute, with growing pauses.
    Task,
    /// Nothing has begun, and somebody wants to know what is wrong: at most about ten seconds.
    Person,
}

impl Patience {
    pub(super) fn retries(self) -> RetryConfig {
        // A pause is drawn between the first one and `base` times the last one: with a base of 2 they hardly grow.
        let (max_retries, retry_timeout, base) = match self {
            Self::Task => (20, Duration::from_mins(1), 3.),
            Self::Person => (4, Duration::from_secs(4), 2.),
        };
        RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(10),
                base,
            },
            max_retries,
            retry_timeout,
        }
    }

    /// Pauses before further tries where the client has none of its own; as long in all as it waits.
    pub(super) fn pauses(self) -> impl Iterator<Item = Duration> {
        let RetryConfig {
            backoff,
            retry_timeout,
            ..
        } = self.retries();
        let mut waited = Duration::ZERO;
        let mut pause = backoff.init_backoff;
        std::iter::from_fn(move || {
            let next = pause;
            waited += next;
            pause = (pause * 2).min(backoff.max_backoff);
            (waited <= retry_timeout).then_some(next)
        })
    }

    /// For a connection to be made, and for an answer to go on.
    fn timeouts(self) -> (Duration, Duration) {
        match self {
            Self::Task => (Duration::from_secs(10), Duration::from_mins(1)),
            Self::Person => (Duration::from_secs(3), Duration::from_secs(5)),
        }
    }
}

/// Mozilla's roots are inside the binary, so that an image needs no CA files; those of the environment are added.
pub(super) fn options(patience: Patience) -> Result<ClientOptions, String> {
    let (connect, read) = patience.timeouts();
    // An endpoint is only reached by plain HTTP if its URL says so (`AWS_ENDPOINT_URL=http://…`, emulators).
    let mut options = ClientOptions::new()
        .with_no_system_certificates(true)
        .with_allow_http(true)
        .with_connect_timeout(connect)
        .with_timeout_disabled()
        .with_read_timeout(read);
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let certificate = Certificate::from_der(root).map_err(|error| error.to_string())?;
        options = options.with_root_certificate(certificate);
    }
    for variable in ["SSL_CERT_FILE", "AWS_CA_BUNDLE"] {
        let Some(file) = std::env::var_os(variable).filter(|file| !file.is_empty()) else {
            continue;
        };
        let pem = std::fs::read(&file)
            .map_err(|error| format!("{variable}={}: {error}", file.display()))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|error| format!("{variable}={}: {error}", file.display()))?;
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

/// Gives the process the one TLS provider that all our clients use.
pub fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
