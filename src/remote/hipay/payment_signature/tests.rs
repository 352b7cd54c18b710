//! Tests of `remote/hipay/payment_signature.rs`.

use super::*;

const BODY: &[u8] = b"state=completed&status=118";
/// Signatures by `printf 'state=completed&status=118my passphrase' | sha1sum`, and so on.
const SIGNED: [(HashAlgorithm, &str); 3] = [
    (HashAlgorithm::Sha1, "a805c896f641918bcf3e8a02cc2cc921c1160c26"),
    (HashAlgorithm::Sha256, "2d84621d7fbb70e7192916db353ceaaf673cfd1369a9297a26ea0a9b5664c314"),
    (
        HashAlgorithm::Sha512,
        "2264bac9cafb3c8c3335ec2271d31d0d400d86910520324be4a4b406492afde5ebd56adb686b26c6c59288cdf9c45964fab0d5d2dc4fc8e6cf12424eec21a64f",
    ),
];

fn check(header: &str, algorithm: HashAlgorithm, body: &[u8]) -> Result<(), SignatureError> {
    PaymentSignature::new(header.as_bytes(), algorithm, &Secret::new("my passphrase"))?.check(body)
}

#[test]
fn the_three_algorithms_in_either_case() {
    for (algorithm, signature) in SIGNED {
        assert_eq!(check(signature, algorithm, BODY), Ok(()));
        assert_eq!(check(&signature.to_uppercase(), algorithm, BODY), Ok(()));
        assert_eq!(check(signature, algorithm, b"state=completed&status=119"), Err(SignatureError::Wrong));
        let other = signature.replace('a', "b");
        assert_eq!(check(&other, algorithm, BODY), Err(SignatureError::Wrong));
    }
}

#[test]
fn a_signature_of_another_length_says_which_algorithm_it_looks_like() {
    let said = check(SIGNED[0].1, HashAlgorithm::Sha256, BODY).unwrap_err().to_string();
    assert!(said.contains("looks like sha1, and hipay.enterprise.hashAlgorithm is sha256"), "{said}");
    for (header, error) in [
        ("", SignatureError::Missing),
        ("xyz", SignatureError::NotHex),
        ("abc", SignatureError::NotHex),
        ("abcd", SignatureError::Length { digits: 4, wanted: "sha256" }),
    ] {
        assert_eq!(check(header, HashAlgorithm::Sha256, BODY), Err(error));
    }
}

#[test]
fn without_a_passphrase_nothing_is_believed() {
    // Even the hash of the body alone is refused.
    let made = PaymentSignature::new(SIGNED[1].1.as_bytes(), HashAlgorithm::Sha256, &Secret::default());
    assert!(matches!(made, Err(SignatureError::NoPassphrase)));
}
