//! Where a request comes from. The address of the connection counts, unless it is a proxy of ours: then what that proxy
//! says. Everyone can send an `X-Forwarded-For`, so it is read from the right, only as far as our own proxies wrote it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::Request;
use axum::http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the other end of a connection, as an extension of its requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Where a request comes from, as an extension of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(super) IpAddr);

impl ClientAddress {
    /// The client of this request. Requests that came without a connection, as in tests, have one address.
    pub(crate) fn of(request: &Request) -> IpAddr {
        let address = request.extensions().get();
        address.map_or(Ipv6Addr::UNSPECIFIED.into(), |Self(address)| *address)
    }
}

/// A network, or one address: `10.0.0.0/8`, `2001:db8::/32`, `127.0.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    fn of(address: IpAddr, prefix: u8) -> Self {
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Self { address, prefix }
    }

    fn holds(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && Self::of(address, self.prefix) == self
    }

    /// The part of a client's address that a log may hold: many people share it.
    pub(super) fn of_client(address: IpAddr) -> Self {
        Self::of(address, if address.is_ipv4() { 24 } else { 48 })
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address and no network such as 10.0.0.0/8");
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(prefix) => prefix.parse().map_err(|_| wrong())?,
        };
        if prefix > most || Self::of(address, prefix).address != address {
            return Err(wrong());
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The client's address: the first from the right that is none of our proxies'.
pub(super) fn address(peer: SocketAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let is_ours = |address: IpAddr| proxies.iter().any(|network| network.holds(address));
    let mut client = peer.ip().to_canonical();
    let values: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    let hops = values.iter().rev().flat_map(|value| value.rsplit(','));
    for hop in hops {
        if !is_ours(client) {
            break;
        }
        match hop_address(hop.trim()) {
            Some(address) => client = address,
            // What our proxy wrote is an address. This it did not write.
            None => break,
        }
    }
    client
}

/// An address, with or without a port.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare = text.parse().ok();
    let address: IpAddr = bare.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{HeaderMap, HeaderValue};

    use super::{Network, address};

    /// The client of a request from `peer` with these `X-Forwarded-For` headers, behind proxies in 10.0.0.0/8.
    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        let proxies = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        address(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn a_client_says_nothing_about_itself() {
        assert_eq!(client("192.0.2.1:7", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1:7", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1:7", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            client("10.0.0.1:7", &["1.1.1.1, 198.51.100.1, 10.2.2.2"]),
            "198.51.100.1",
            "two proxies of ours"
        );
        assert_eq!(
            client("10.0.0.1:7", &["1.1.1.1", "198.51.100.1"]),
            "198.51.100.1",
            "two headers"
        );
        assert_eq!(client("10.0.0.1:7", &["10.3.3.3"]), "10.3.3.3", "none but ours");
    }

    #[test]
    fn what_no_proxy_writes_ends_the_list() {
        for bad in ["unknown", "", "1.1.1.1, evil", "1.1.1.1,,"] {
            assert_eq!(client("10.0.0.1:7", &[bad]), "10.0.0.1", "{bad}");
        }
        assert_eq!(client("10.0.0.1:7", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1:7", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("[::ffff:10.0.0.1]:7", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("[fd00::1]:7", &["2001:db8::1"]), "2001:db8::1");
    }

    #[test]
    fn networks_are_written_exactly() {
        for good in ["10.0.0.0/8", "0.0.0.0/0", "127.0.0.1/32", "2001:db8::/32", "::/0"] {
            assert_eq!(good.parse::<Network>().unwrap().to_string(), good);
        }
        assert_eq!(
            "127.0.0.1".parse::<Network>().unwrap().to_string(),
            "127.0.0.1/32"
        );
        for bad in ["10.0.0.1/8", "10.0.0.0/33", "x", "", "10.0.0.0/", "::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        let shown = |text: &str| Network::of_client(text.parse::<IpAddr>().unwrap()).to_string();
        assert_eq!(shown("198.51.100.77"), "198.51.100.0/24");
        assert_eq!(shown("2001:db8:1:2::3"), "2001:db8:1::/48");
    }
}
