//! What a file is, from its first bytes.

use foreshard_core::backup::format::{Compression, Content, sniff};
use foreshard_core::model::config::BackupFormat;
use proptest::prelude::*;

fn tar(first_member: &[u8]) -> Vec<u8> {
    let mut head = vec![0; 512];
    head[..first_member.len()].copy_from_slice(first_member);
    head[257..265].copy_from_slice(b"ustar\x0000");
    head
}

#[test]
fn archives_are_known_by_their_magic() {
    use BackupFormat::*;
    for (head, format) in [
        (b"PGDMP\x01\x0e\x00\x04\x08\x01".to_vec(), Custom),
        (b"PGDMP".to_vec(), Custom),
        (b"PGDMP\x01\x0e\x00\x04\x08\x03".to_vec(), Directory),
        (tar(b"toc.dat"), Tar),
    ] {
        assert_eq!(sniff(&head), Some(Content::Backup(format)), "{head:?}");
    }
    assert_eq!(sniff(&tar(b"base/1/1259")), None);
    assert_eq!(sniff(b"toc.dat\0"), None);
}

#[test]
fn compressed_files_are_told_apart() {
    for (head, compression) in [
        (&b"\x1f\x8b\x08\x00"[..], Compression::Gzip),
        (b"\x28\xb5\x2f\xfd\x24", Compression::Zstd),
        (b"\x04\x22\x4d\x18\x60", Compression::Lz4),
    ] {
        assert_eq!(sniff(head), Some(Content::Compressed(compression)));
    }
}

#[test]
fn scripts_are_known_by_their_header_or_their_first_word() {
    for head in [
        "--\n-- PostgreSQL database dump\n--\n",
        "--\n-- PostgreSQL database cluster dump\n--\n",
        "\u{feff}-- written by hand\n/* on a\n Monday */\ncreate table t (a int);",
        "COPY public.t (a) FROM stdin;\n1\n\\.\n",
        "\\restrict x\nSET a = 1;",
        "BEGIN;",
    ] {
        assert_eq!(sniff(head.as_bytes()), Some(Content::Backup(BackupFormat::Plain)), "{head}");
    }
}

#[test]
fn what_has_no_mark_is_not_guessed() {
    for head in
        ["", "1\tab\\N\n", "id,name\n1,x\n", "comment,set\n", "select", "-- a note\n", "\\N\t1\n", "{\"a\": 1}", "PGDM"]
    {
        assert_eq!(sniff(head.as_bytes()), None, "{head}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_looked_at_without_panic(head in prop::collection::vec(any::<u8>(), 0..600)) {
        sniff(&head);
    }
}
