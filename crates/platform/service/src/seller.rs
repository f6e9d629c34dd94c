//! Who sells: on receipts, and in letters. The settings are the same for both APIs.

use clap::Args;

/// The seller's settings.
#[derive(Clone, Debug, Args)]
pub struct SellerOptions {
    /// Name of the seller on receipts; without it there are no documents of receipts
    #[arg(
        long,
        env = "SELLER_NAME",
        value_name = "TEXT",
        requires = "seller_organization_number"
    )]
    pub seller_name: Option<String>,
    /// The seller's number in the register of enterprises, nine digits
    #[arg(long, env = "SELLER_ORGANIZATION_NUMBER", value_name = "NUMBER", value_parser = organization_number)]
    pub seller_organization_number: Option<String>,
    /// The seller's postal address on receipts
    #[arg(long, env = "SELLER_ADDRESS", default_value = "", value_name = "TEXT")]
    pub seller_address: String,
    /// Whether the seller is registered for value added tax
    #[arg(long, env = "SELLER_TAX_REGISTERED")]
    pub seller_tax_registered: bool,
}

/// Who sells.
#[derive(Clone, Debug)]
pub struct Seller {
    /// Name.
    pub name: String,
    /// Number in the register of enterprises, as it is written.
    pub organization_number: String,
    /// Whether registered for value added tax.
    pub registered_for_tax: bool,
    /// Postal address, or nothing.
    pub address: String,
}

impl SellerOptions {
    /// The seller, if it is known.
    pub fn seller(&self) -> Option<Seller> {
        Some(Seller {
            name: self.seller_name.clone()?,
            organization_number: self.seller_organization_number.clone()?,
            registered_for_tax: self.seller_tax_registered,
            address: self.seller_address.clone(),
        })
    }
}

/// Nine digits whose last is the check digit (modulus 11), shown in groups of three.
fn organization_number(text: &str) -> Result<String, String> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| *c != ' ')
        .map_while(|c| c.to_digit(10))
        .collect();
    let typed = text.chars().filter(|c| *c != ' ').count();
    let sum: u32 = digits
        .iter()
        .zip([3, 2, 7, 6, 5, 4, 3, 2, 1])
        .map(|(digit, weight)| digit * weight)
        .sum();
    if typed != 9 || digits.len() != 9 || !sum.is_multiple_of(11) {
        return Err("not a number of nine digits with its check digit".to_owned());
    }
    let text: String = digits
        .iter()
        .filter_map(|digit| char::from_digit(*digit, 10))
        .collect();
    Ok(format!("{} {} {}", &text[..3], &text[3..6], &text[6..]))
}
