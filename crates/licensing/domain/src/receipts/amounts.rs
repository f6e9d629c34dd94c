//! Amounts of receipts: tax within a price, and a part of the money spread over the lines.

/// The tax in a price that includes it, rounded to the nearest øre. What is left is the net amount, so that net and tax
/// always add up to the price.
pub(super) const fn tax_in(gross_ore: i64, rate_permille: u16) -> i64 {
    let rate = rate_permille as i64;
    let whole = 1000 + rate;
    // `+ whole / 2` rounds to the nearest.
    (gross_ore * rate + whole / 2) / whole
}

/// `amount` spread over lines in proportion to `weights`, each line in whole øre and all of them together exactly `amount`:
/// what rounding leaves goes to the lines with the largest remainders, the first of equal ones first.
pub(super) fn share(amount: i64, weights: &[i64]) -> Vec<i64> {
    let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if total <= 0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: i64| i128::from(amount) * i128::from(weight);
    let mut shares: Vec<i128> = weights
        .iter()
        .map(|weight| exact(*weight).div_euclid(total))
        .collect();
    let left = i128::from(amount) - shares.iter().sum::<i128>();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|line| std::cmp::Reverse(exact(weights[*line]).rem_euclid(total)));
    for line in by_remainder.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        shares[line] += 1;
    }
    // No share is larger than the amount, which is an `i64`.
    shares
        .into_iter()
        .map(|share| i64::try_from(share).unwrap_or(amount))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{share, tax_in};

    #[test]
    fn the_tax_is_part_of_the_price() {
        assert_eq!(tax_in(42_000, 0), 0);
        // 25 % on 100 kr is 20 kr of the price with tax.
        assert_eq!(tax_in(12_500, 250), 2_500);
        assert_eq!(tax_in(1, 250), 0);
        assert_eq!(tax_in(3, 250), 1);
    }

    #[test]
    fn a_part_goes_to_the_lines_by_their_prices() {
        assert_eq!(share(42_000, &[22_000, 20_000]), [22_000, 20_000]);
        assert_eq!(share(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(share(0, &[5, 5]), [0, 0]);
        assert_eq!(share(7, &[]), Vec::<i64>::new());
    }

    proptest! {
        #[test]
        fn net_and_tax_add_up_and_neither_is_negative(gross in 0_i64..1_000_000_000, rate in 0_u16..1000) {
            let tax = tax_in(gross, rate);
            prop_assert!(tax >= 0 && tax <= gross);
            let net = gross - tax;
            // The tax of the net amount, exactly, is at most an øre away.
            let exact_in_millis = net * i64::from(rate);
            prop_assert!((exact_in_millis - tax * 1000).abs() <= 1000, "{exact_in_millis} {tax}");
        }

        #[test]
        fn shares_add_up_and_stay_below_their_weights(
            weights in proptest::collection::vec(1_i64..10_000_000, 1..100),
            part in 0_u32..=1000,
        ) {
            let total: i64 = weights.iter().sum();
            let amount = total * i64::from(part) / 1000;
            let shares = share(amount, &weights);
            prop_assert_eq!(shares.iter().sum::<i64>(), amount);
            for (share, weight) in shares.iter().zip(&weights) {
                prop_assert!(*share >= 0 && share <= weight, "{share} of {weight}");
            }
        }
    }
}
