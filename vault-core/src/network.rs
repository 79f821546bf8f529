//! Where a caller comes from, as far as bounds and counters tell callers apart.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Number of bits of an IPv6 address that name its network: a single host usually has all the rest.
const IPV6_PREFIX_BITS: u32 = 64;

/// The network of an address: an IPv4 address itself, or the /64 of an IPv6 one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network(IpAddr);

impl Network {
    /// Finds the network of an address; an IPv4 address written in IPv6 is the same one.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                Self(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - IPV6_PREFIX_BITS))).into())
            }
            address => Self(address),
        }
    }
}

/// Shows `192.0.2.1` or `2001:db8:1:2::/64`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/{IPV6_PREFIX_BITS}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one() {
        let name = |text: &str| Network::of(text.parse().unwrap()).to_string();
        assert_eq!(name("192.0.2.1"), "192.0.2.1");
        assert_eq!(name("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(name("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_ne!(name("2001:db8:1:2::1"), name("2001:db8:1:3::1"));
    }
}
