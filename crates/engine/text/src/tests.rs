use icu_normalizer::DecomposingNormalizer;
use proptest::prelude::*;

use crate::{digit, fold, is_invisible, latinize, normalize};

#[test]
fn stored_text_is_composed_and_has_single_spaces() {
    for (given, stored) in [
        ("A\u{30a}se  Bjo\u{308}rk", "Åse Björk"),
        (
            "\u{a0}Kari\u{a0}\u{202f}\u{3000}Nordmann\u{2003}",
            "Kari Nordmann",
        ),
        ("Kari\tNordmann\r\n", "Kari Nordmann"),
        ("\u{2028}\u{2029}\u{85}", ""),
        ("\u{212b}", "Å"),
    ] {
        assert_eq!(normalize(given), stored, "{given:?}");
    }
}

#[test]
fn what_is_the_same_to_a_reader_has_one_key() {
    for (one, other) in [
        ("Åse Øen", "A\u{30a}SE\u{a0} øen"),
        ("Weiß", "WEISS"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("Ｋａｒｉ", "kari"),
        ("Anne-Marie", "Anne\u{2011}Marie"),
        ("Anne-Marie", "anne\u{2013}marie"),
        ("O'Brien", "O\u{2019}BRIEN"),
        ("علی\u{200c}رضا", "علیرضا"),
        ("Ka\u{ad}ri", "Kari"),
        ("\u{1c4}", "\u{1c6}"),
        ("ᾼ", "ᾳ"),
    ] {
        assert_eq!(fold(one), fold(other), "{one:?} {other:?}");
    }
}

#[test]
fn letters_of_their_own_stay_apart() {
    for (one, other) in [
        ("Bodø", "Bodo"),
        ("Åse", "Ase"),
        ("Ærlig", "Aerlig"),
        ("Kari N", "KariN"),
    ] {
        assert_ne!(fold(one), fold(other));
    }
}

#[test]
fn what_a_keyboard_lacks_is_written_in_many_ways() {
    for spellings in [
        &["Bodø", "bodo", "BODOE", "Bodö", "bod\u{f8}"][..],
        &["Tromsø", "tromso", "tromsoe"],
        &["Ås", "aas", "AS", "A\u{30a}s", "äs"],
        &["Bjørn", "bjorn", "Bjoern", "Björn", "bjo\u{308}rn"],
        &["Müller", "muller", "Mueller", "mu\u{308}ller"],
        &["Ærlig", "aerlig", "arlig"],
        &["Håkon", "haakon", "hakon"],
        &["Máret Ánne", "maret anne"],
        &["Kárášjohka", "karasjohka"],
        &["Đorđević", "dordevic"],
        &["Þór", "thor"],
        &["Łukasz", "lukasz"],
        &["Straße", "strasse"],
        &["Ünal", "unal"],
        &["Işıl", "isil"],
    ] {
        let keys: std::collections::BTreeSet<String> = spellings
            .iter()
            .map(|spelling| latinize(&fold(spelling)))
            .collect();
        assert_eq!(keys.len(), 1, "{spellings:?}: {keys:?}");
    }
    for (one, other) in [("Kari", "Kåre"), ("Ola", "Olea"), ("Bo", "Bu")] {
        assert_ne!(latinize(&fold(one)), latinize(&fold(other)));
    }
    // Other scripts keep their marks.
    for other in ["علی", "מִרְיָם", "नमस्ते", "ガレージ"] {
        assert_eq!(latinize(&fold(other)), fold(other));
    }
}

#[test]
fn digits_of_all_scripts_have_their_value() {
    for row in [
        "0123456789",
        "０１２３４５６７８９",
        "٠١٢٣٤٥٦٧٨٩",
        "०१२३४५६७८९",
        "𝟘𝟙𝟚𝟛𝟜𝟝𝟞𝟟𝟠𝟡",
    ] {
        assert!(row.chars().map(digit).eq((0..10).map(Some)), "{row}");
    }
    for c in "aÅ².½Ⅷ一".chars() {
        assert_eq!(digit(c), None, "{c}");
    }
}

/// Every character of the planes that have special ones, alone and between letters.
#[test]
fn keys_and_stored_text_are_stable_for_all_characters() {
    for c in ('\u{0}'..'\u{20000}').chain('\u{e0000}'..'\u{e1000}') {
        for text in [c.to_string(), format!("a{c}b"), format!("{c}\u{301}\u{345}")] {
            let stored = normalize(&text);
            assert_eq!(normalize(&stored), stored, "{text:?}");
            let key = fold(&text);
            assert_eq!(fold(&key), key, "{text:?}");
            assert_eq!(fold(&stored), key, "{text:?}");
            assert!(!key.chars().any(is_invisible), "{text:?}");
        }
    }
}

proptest! {
    #[test]
    fn the_key_does_not_depend_on_form_case_or_space(text in "\\PC{0,40}") {
        let decomposed = DecomposingNormalizer::new_nfd().normalize(&text).into_owned();
        prop_assert_eq!(fold(&decomposed), fold(&text));
        prop_assert_eq!(fold(&format!("\u{a0} {text}\u{3000}")), fold(&text));
        prop_assert_eq!(normalize(&decomposed), normalize(&text));
        let key = fold(&text);
        prop_assert_eq!(fold(&key), key);
    }

    #[test]
    fn the_key_does_not_depend_on_case(text in "[a-zA-ZæøåÆØÅäöÄÖéÉßčČšŠžŽŋŊđĐŧŦα-ωΑ-Ρа-яА-Я '-]{0,40}") {
        prop_assert_eq!(fold(&text.to_lowercase()), fold(&text));
        prop_assert_eq!(fold(&text.to_uppercase()), fold(&text));
    }

    #[test]
    fn the_key_of_a_part_is_part_of_the_key_of_the_whole(one in "\\p{L}{1,9}", part in "\\p{L}{1,9}", two in "\\p{L}{1,9}") {
        let whole = fold(&format!("{one} {part} {two}"));
        prop_assert!(whole.contains(&fold(&part)));
    }
}
