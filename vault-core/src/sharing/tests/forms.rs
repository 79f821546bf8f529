//! Tests of the forms in which a share is typed and handed in.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXUPPER};
use proptest::prelude::*;

use super::{Set, copy};
use crate::sharing::*;

fn same(one: &Share, other: &Share) -> bool {
    one.to_bytes().expose() == other.to_bytes().expose()
}

#[track_caller]
fn assert_reads(share: &Share, text: &str) {
    assert!(Share::parse(text).is_ok_and(|read| same(&read, share)), "{text}: {:?}", Share::parse(text).err());
}

#[test]
fn every_form_reads_back() {
    for share in Set::new(3, 5, 20).shares {
        let bytes = share.to_bytes();
        let text = share.to_text();
        assert_reads(&share, text.expose());
        assert_reads(&share, &text.expose().to_uppercase());
        assert_reads(&share, &text.expose().replace('-', ""));
        assert_reads(&share, &text.expose().replace('-', " "));
        assert_reads(&share, &text.expose().replace('-', " \u{2013}\r\n\t"));
        assert_reads(&share, share.to_hex().expose());
        assert_reads(&share, share.to_base64().expose());
        assert_reads(&share, &HEXUPPER.encode(bytes.expose()));
        for encoding in [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD] {
            assert_reads(&share, &format!(" {}\n", encoding.encode(bytes.expose())));
        }
    }
}

#[test]
fn the_text_has_groups_of_five() {
    let share = copy(&Set::new(2, 2, 21).shares[0]);
    let text = share.to_text();
    let groups: Vec<&str> = text.expose().strip_prefix("keyturn-share-1-").unwrap().split('-').collect();
    let (last, full) = groups.split_last().unwrap();
    assert!(full.iter().all(|group| group.len() == 5), "{groups:?}");
    assert_eq!((full.len(), last.len()), (27, 3));
}

#[test]
fn every_changed_character_is_refused_and_its_group_named() {
    let share = copy(&Set::new(2, 3, 22).shares[1]);
    let text = share.to_text();
    let plain = text.expose().replace('-', "");
    for (position, right) in plain.char_indices() {
        for wrong in "qpzry9x8gf2tvdw0s3jn54khce6mua7l1bio?é".chars().filter(|wrong| *wrong != right) {
            let mut typed: Vec<char> = plain.chars().collect();
            typed[position] = wrong;
            let typed: String = typed.into_iter().collect();
            let at = match position.checked_sub("keyturnshare1".len()) {
                None => MistypedAt::Prefix,
                Some(place) => MistypedAt::Group(place / 5 + 1),
            };
            assert_eq!(Share::parse(&typed).err(), Some(ShareError::Mistyped { at }), "{typed}");
        }
    }
}

#[test]
fn missing_and_swapped_characters_are_refused_as_mistyped() {
    let share = copy(&Set::new(2, 3, 23).shares[2]);
    let text = share.to_text();
    let plain = text.expose().replace('-', "");
    for position in 0..plain.len() {
        let shorter = [&plain[..position], &plain[position + 1..]].concat();
        let expected = ShareError::Mistyped { at: MistypedAt::Length { found: 150, expected: 151 } };
        assert_eq!(Share::parse(&shorter).err(), Some(expected), "{shorter}");
        let longer = [&plain[..position], "q", &plain[position..]].concat();
        let expected = ShareError::Mistyped { at: MistypedAt::Length { found: 152, expected: 151 } };
        assert_eq!(Share::parse(&longer).err(), Some(expected), "{longer}");
    }
    for position in 0..plain.len() - 1 {
        let mut swapped: Vec<char> = plain.chars().collect();
        swapped.swap(position, position + 1);
        let swapped: String = swapped.into_iter().collect();
        if swapped != plain {
            assert!(matches!(Share::parse(&swapped), Err(ShareError::Mistyped { .. })), "{swapped}");
        }
    }
}

#[test]
fn every_changed_digit_of_the_binary_form_is_refused_as_mistyped() {
    let share = copy(&Set::new(2, 3, 24).shares[0]);
    for form in [share.to_hex(), share.to_base64()] {
        for (position, right) in form.expose().char_indices().filter(|(_, digit)| *digit != '=') {
            for wrong in "07afAZ+/?".chars().filter(|wrong| !wrong.eq_ignore_ascii_case(&right)) {
                let mut typed: Vec<char> = form.expose().chars().collect();
                typed[position] = wrong;
                let typed: String = typed.into_iter().collect();
                assert!(matches!(Share::parse(&typed), Err(ShareError::Mistyped { .. })), "{typed}");
            }
        }
    }
}

#[test]
fn what_is_no_share_is_named_so() {
    let long = "a".repeat(SHARE_TEXT_LENGTH_BYTES_MAX + 1);
    let too_long = Malformation::TooLong { length_bytes: long.len() };
    let unknown = Malformation::Unknown;
    for (text, reason) in [("", unknown), ("hello", unknown), ("====", unknown), (long.as_str(), too_long)] {
        assert_eq!(Share::parse(text).err(), Some(ShareError::Malformed { reason }), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in ".{0,200}") {
        prop_assert!(Share::parse(&text).is_err());
    }

    #[test]
    fn any_text_with_the_prefix_and_the_right_length_is_refused(data in "[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{138}") {
        let refused = matches!(Share::parse(&format!("keyturnshare1{data}")), Err(ShareError::Mistyped { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn any_digits_are_refused(hex in "[0-9a-fA-F]{164}", base64 in "[A-Za-z0-9+/_-]{110}={0,3}") {
        prop_assert!(Share::parse(&hex).is_err());
        prop_assert!(Share::parse(&base64).is_err());
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(Share::from_bytes(&bytes).is_err());
    }

    #[test]
    fn several_mistakes_are_refused(mistakes in proptest::collection::vec((13_usize..151, 0_usize..32), 2..12)) {
        let share = copy(&Set::new(1, 1, 25).shares[0]);
        let right = share.to_text().expose().replace('-', "");
        let mut typed: Vec<char> = right.chars().collect();
        for (position, letter) in mistakes {
            typed[position] = char::from(b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"[letter]);
        }
        let typed: String = typed.into_iter().collect();
        prop_assert_eq!(Share::parse(&typed).is_err(), typed != right);
    }
}
