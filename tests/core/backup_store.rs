//! Addresses of objects, and who reads them.

use foreshard_core::backup::address::Address;
use foreshard_core::backup::credentials::Credentials;
use proptest::prelude::*;

#[test]
fn an_address_is_a_bucket_and_a_key() {
    let address = Address::read("s3://my-bucket.1/a b/ü+%20.dump").unwrap().unwrap();
    assert_eq!((address.bucket.as_str(), address.key.as_str()), ("my-bucket.1", "a b/ü+%20.dump"));
    assert_eq!(address.to_string(), "s3://my-bucket.1/a b/ü+%20.dump");
    assert!(!address.is_pattern());
    assert_eq!(Address::read("/backups/s3://x"), None);
    assert_eq!(Address::read("table:public.s3"), None);
}

#[test]
fn a_pattern_has_a_prefix() {
    for (key, prefix) in [("a/part-*.csv", "a/part-"), ("*", ""), ("a?b", "a"), ("x[12]", "x")] {
        let address = Address::read(&format!("s3://bucket/{key}")).unwrap().unwrap();
        assert!(address.is_pattern());
        assert_eq!(address.prefix(), prefix);
    }
}

#[test]
fn what_is_no_address_is_not_repeated() {
    for wrong in [
        "s3://KEY:s3cret@bucket/key",
        "s3://s3cret",
        "s3://s3cret/",
        "s3://ab/s3cret",
        "s3://bucket/../s3cret",
        "s3://bucket/s3cret\n",
    ] {
        let problem = Address::read(wrong).unwrap().unwrap_err();
        assert_eq!(problem.sqlstate, "22023");
        assert!(!format!("{problem:?}").contains("s3cret"), "{problem:?}");
        assert!(problem.hint.is_some());
    }
}

const FILE: &str = "# of the backups
[default]
aws_access_key_id = AKIA1
aws_secret_access_key=se/cr+et==
; another
[ reports ]
aws_access_key_id=AKIA2
aws_secret_access_key = other
aws_session_token = token
region = eu-west-1
[half]
aws_access_key_id = AKIA3
aws_secret_access_key =
";

#[test]
fn a_profile_of_a_credentials_file() {
    let credentials = |key: &str, secret: &str, token: Option<&str>| {
        Some(Credentials { key: key.to_owned(), secret: secret.to_owned(), token: token.map(str::to_owned) })
    };
    assert_eq!(Credentials::of_profile(FILE, "default"), credentials("AKIA1", "se/cr+et==", None));
    assert_eq!(Credentials::of_profile(FILE, "reports"), credentials("AKIA2", "other", Some("token")));
    assert_eq!(Credentials::of_profile(FILE, "half"), None);
    assert_eq!(Credentials::of_profile(FILE, "absent"), None);
    assert_eq!(Credentials::of_profile("aws_access_key_id=a\naws_secret_access_key=b", "default"), None);
}

#[test]
fn no_text_of_credentials_has_them() {
    let credentials = Credentials::of_profile(FILE, "reports").unwrap();
    assert_eq!(format!("{credentials:?}"), "Credentials");
}

proptest! {
    #[test]
    fn any_text_is_taken(text in "\\PC*", profile in "\\PC*") {
        let _read = Address::read(&format!("s3://{text}"));
        let _read = Credentials::of_profile(&text, &profile);
    }
}
