//! Where the server is: an address as `psql` takes it, without a password.
//!
//! Invariant: without a word about it, only a connection within this machine is unencrypted.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};
use thiserror::Error;
use tokio_postgres::config::{Config, Host, SslMode};

/// The schema that Tau's tables are in, unless the address names another.
const SCHEMA: &str = "tau";
/// Connections a process has at most, unless the address says otherwise.
const CONNECTIONS: usize = 4;
/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection may be silent before the server is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(30);
/// How long what was sent may stay unanswered by the other machine.
const UNHEARD: Duration = Duration::from_secs(20);
/// How long a server that was there is waited for when it is gone.
const PATIENCE: Duration = Duration::from_secs(15);

/// What of an address is passed on as it is.
const PASSED_ON: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "port",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// How much of TLS is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// None: everybody between here and there reads along.
    Disable,
    /// Encrypted, without looking at who answers.
    Require,
    /// Encrypted, and the server is the one that was named.
    VerifyFull {
        /// Who says so: a file of certificates in PEM; otherwise whom this system trusts.
        roots: Option<PathBuf>,
    },
}

/// A server and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) config: Config,
    /// How much of TLS is asked for.
    pub tls: Tls,
    /// The schema with the tables.
    pub(crate) schema: String,
    /// Connections of this process at a time.
    pub(crate) connections: usize,
    /// How long a server that was there is waited for when it is gone.
    pub patience: Duration,
}

/// Why an address is none. Never repeats it: it may hold what should not be in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionsError {
    /// Not an address of such a server.
    #[error("it is not postgres://USER@HOST[:PORT]/DATABASE: {0}")]
    Malformed(String),
    /// A password among what is shown and logged.
    #[error("it holds a password")]
    Password,
    /// A parameter that means nothing here.
    #[error("the parameter {0} is not known")]
    Unknown(String),
    /// A parameter whose value means nothing.
    #[error("{name} is {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
    },
}

impl Options {
    /// Whether `text` is meant as an address of such a server.
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Whether no network is between here and the server.
    #[must_use]
    pub fn is_local(&self) -> bool {
        is_local(&self.config)
    }

    /// The one origin that a password for it belongs to, such as `https://db.example:5432`; `http`
    /// where nothing encrypts it. Nothing where there are several.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        let (host, port) = self.place()?;
        let scheme = match (&self.tls, self.is_local()) {
            (Tls::Disable, false) => "http",
            _ => "https",
        };
        Some(format!("{scheme}://{host}:{port}"))
    }

    fn place(&self) -> Option<(String, u16)> {
        let [host] = self.config.get_hosts() else {
            return None;
        };
        let name = match host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]"),
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(_) => "localhost".into(),
        };
        let port = self.config.get_ports().first().copied();
        Some((name, port.unwrap_or(5432)))
    }
}

impl FromStr for Options {
    type Err = OptionsError;

    fn from_str(address: &str) -> Result<Self, OptionsError> {
        if !Self::is_address(address) {
            let why = "it begins otherwise".to_owned();
            return Err(OptionsError::Malformed(why));
        }
        let (place, query) = address.split_once('?').unwrap_or((address, ""));
        let user = place.split("://").nth(1).and_then(|rest| {
            let authority = rest.split('/').next().unwrap_or(rest);
            authority.rsplit_once('@').map(|(user, _)| user)
        });
        if user.is_some_and(|user| user.contains(':')) {
            return Err(OptionsError::Password);
        }

        let mut passed_on = Vec::new();
        let mut own = Own::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                _ if own.take(name, value)? => {}
                "password" | "passfile" | "sslpassword" => return Err(OptionsError::Password),
                name if PASSED_ON.contains(&name) => {
                    own.says_silence |= name == "keepalives_idle";
                    passed_on.push(pair);
                }
                name => return Err(OptionsError::Unknown(plain(name))),
            }
        }
        let mut rest = place.to_owned();
        if !passed_on.is_empty() {
            rest = format!("{place}?{}", passed_on.join("&"));
        }
        let config = Config::from_str(&rest).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            OptionsError::Malformed(cause.unwrap_or_else(|| error.to_string()))
        })?;
        own.finish(config)
    }
}

/// The parameters that are Tau's own to understand.
#[derive(Default)]
struct Own {
    mode: Option<String>,
    roots: Option<PathBuf>,
    schema: Option<String>,
    connections: Option<usize>,
    /// Whether the address says how long a connection may be silent.
    says_silence: bool,
}

impl Own {
    /// Takes the parameter `name`, if it is one of these.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, OptionsError> {
        match name {
            "sslmode" => self.mode = Some(value.to_owned()),
            "sslrootcert" => self.roots = Some(decoded(value)?.into()),
            "schema" => {
                let first = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
                let is_name = value.bytes().next().is_some_and(first)
                    && value.len() <= 40
                    && value
                        .bytes()
                        .all(|byte| first(byte) || byte.is_ascii_digit())
                    && !value.starts_with("pg_");
                if !is_name {
                    return Err(OptionsError::Value {
                        name: "schema",
                        expected: "small letters, digits and underscores, at most 40",
                    });
                }
                self.schema = Some(value.to_owned());
            }
            "connections" => {
                let number = value
                    .parse()
                    .ok()
                    .filter(|number| (1..=100).contains(number));
                self.connections = Some(number.ok_or(OptionsError::Value {
                    name: "connections",
                    expected: "a number from 1 to 100",
                })?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self, mut config: Config) -> Result<Options, OptionsError> {
        if config.get_password().is_some() {
            return Err(OptionsError::Password);
        }
        if config.get_hosts().is_empty() {
            let why = "it names no host".to_owned();
            return Err(OptionsError::Malformed(why));
        }
        let roots = self.roots;
        let tls = match self.mode.as_deref() {
            None if roots.is_none() && is_local(&config) => Tls::Disable,
            None | Some("verify-full") => Tls::VerifyFull { roots },
            Some("require") if roots.is_none() => Tls::Require,
            Some("disable") if roots.is_none() => Tls::Disable,
            Some("require" | "disable") => {
                return Err(OptionsError::Value {
                    name: "sslrootcert",
                    expected: "for sslmode=verify-full alone",
                });
            }
            // What encrypts only where the other side feels like it is no protection.
            Some(_) => {
                return Err(OptionsError::Value {
                    name: "sslmode",
                    expected: "verify-full, require or disable",
                });
            }
        };
        config.ssl_mode(match tls {
            Tls::Disable => SslMode::Disable,
            Tls::Require | Tls::VerifyFull { .. } => SslMode::Require,
        });
        if config.get_application_name().is_none() {
            config.application_name("tau");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNHEARD);
        }
        if !self.says_silence {
            config.keepalives_idle(SILENCE);
        }
        Ok(Options {
            config,
            tls,
            schema: self.schema.unwrap_or_else(|| SCHEMA.to_owned()),
            connections: self.connections.unwrap_or(CONNECTIONS),
            patience: PATIENCE,
        })
    }
}

/// As a person may see it: who, where and which database.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{comma}{}", path.display())?,
            }
            let ports = self.config.get_ports();
            let port = ports.get(index).or(ports.first()).copied();
            write!(f, ":{}", port.unwrap_or(5432))?;
        }
        if let Some(database) = self.config.get_dbname() {
            write!(f, "/{database}")?;
        }
        if self.schema != SCHEMA {
            write!(f, "?schema={}", self.schema)?;
        }
        Ok(())
    }
}

fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

/// A value of an address without its `%` signs.
fn decoded(value: &str) -> Result<String, OptionsError> {
    let wrong = || OptionsError::Malformed("a % without two digits".to_owned());
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let byte = rest.next()?;
            char::from(byte).to_digit(16)
        };
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// A name out of an address, fit to be shown.
fn plain(name: &str) -> String {
    let shown = name.chars().filter(|c| !c.is_control()).take(40);
    shown.collect()
}

#[cfg(test)]
mod tests;
