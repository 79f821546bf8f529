//! Address ranges that a token is bound to.

use std::net::IpAddr;

/// A range of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cidr {
    network: IpAddr,
    prefix_bits: u32,
}

impl Cidr {
    /// Parses a range; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let network: IpAddr = address.parse().ok()?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => width,
            Some(text) => text.parse().ok().filter(|bits| *bits <= width)?,
        };
        Some(Self { network, prefix_bits })
    }

    /// Tells whether an address lies in the range. An IPv4 address inside IPv6 counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix_bits).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix_bits).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }

    /// Tells whether every address of this range lies in another.
    pub fn is_within(&self, other: &Self) -> bool {
        self.network.is_ipv4() == other.network.is_ipv4()
            && self.prefix_bits >= other.prefix_bits
            && other.contains(self.network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_lies_within_a_wider_one() {
        let cases = [
            ("192.0.2.0/25", "192.0.2.0/24", true),
            ("192.0.2.0/24", "192.0.2.0/24", true),
            ("192.0.2.0/23", "192.0.2.0/24", false),
            ("192.0.3.0/25", "192.0.2.0/24", false),
            ("192.0.2.1", "0.0.0.0/0", true),
            ("2001:db8::1", "0.0.0.0/0", false),
            ("2001:db8::/48", "2001:db8::/32", true),
        ];
        for (range, wider, inside) in cases {
            assert_eq!(Cidr::parse(range).unwrap().is_within(&Cidr::parse(wider).unwrap()), inside, "{range} {wider}");
        }
    }

    #[test]
    fn ranges_hold_what_they_say() {
        let cases = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8::1", true),
            ("::/0", "2001:db8::1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
        ];
        for (range, address, inside) in cases {
            assert_eq!(Cidr::parse(range).unwrap().contains(address.parse().unwrap()), inside, "{range} {address}");
        }
        for bad in ["", "x", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "::/129", "1.2.3/8"] {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }
}
