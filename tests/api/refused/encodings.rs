use super::{WrongFile, wrong};

const HEADER: &[u8] = b"username,emails,importIds,name\n";

fn with_header(rows: &[u8]) -> Vec<u8> {
    [HEADER, rows].concat()
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub fn rows() -> Vec<WrongFile> {
    vec![
        wrong(
            "letters of Western Europe",
            with_header(b"jose,jose@corp.example,1,Jos\xe9 Garc\xeda\n"),
            "encoding",
            "line 2: byte 0xE9 is not UTF-8; the file seems to be windows-1252: give --encoding windows-1252, or save it \
             as UTF-8",
        ),
        wrong(
            "UTF-16 without its mark",
            utf_16("username,emails,importIds\nann,ann@corp.example,1\n"),
            "encoding",
            "line 1: the file seems to be UTF-16LE without a mark: give --encoding UTF-16LE",
        ),
        wrong(
            "UTF-32",
            b"\xff\xfe\0\0u\0\0\0".to_vec(),
            "encoding",
            "line 1: the file is UTF-32, which cannot be read: save it as UTF-8",
        ),
        wrong(
            "a file that is cut off",
            with_header(b"jose,jose@corp.example,1,Jos\xc3"),
            "encoding",
            "line 2: the file ends in the middle of a character: it is cut off, so export it again",
        ),
        wrong(
            "an encoding that is not the file's",
            with_header(b"jose,jose@corp.example,1,Jos\xff\n"),
            "encoding",
            "line 2: byte 0xFF is not Shift_JIS: give another --encoding, or save the file as UTF-8",
        )
        .with("?encoding=shift_jis"),
        wrong(
            "an encoding that nobody knows",
            with_header(b""),
            "parameter",
            "encoding: klingon is not known; some that are: utf-8, utf-16le, windows-1252 (Western Europe), windows-1250 \
             (Central Europe), windows-1251 (Cyrillic), shift_jis, gbk, big5, euc-kr, macintosh",
        )
        .with("?encoding=klingon"),
        wrong(
            "a mark in the middle",
            with_header("ann,ann@corp.example,1,Ann\n\u{feff}bea,bea@corp.example,2,Bea\n".as_bytes()),
            "joined",
            "line 3: a byte order mark in the middle: two files seem to be joined here; give them one by one",
        ),
        wrong(
            "a wrong encoding of the day before",
            with_header("jose,jose@corp.example,1,JosÃ©\n".as_bytes()),
            "garbled",
            "line 2: \"JosÃ©\" was saved in a wrong encoding before: save the source as UTF-8 (import id 1)",
        )
        .with("?refuse=garbled"),
        wrong(
            "a character that no text may hold",
            with_header(b"ann,ann@corp.example,1,An\0n\n"),
            "value",
            "line 2: name must be without the character NUL, which no text may hold, not \"An\\u{0}n\" (import id 1)",
        ),
        wrong(
            "half of a Base64 text",
            "dn: uid=ann,dc=corp,dc=example\nobjectClass: inetOrgPerson\nuid: ann\ncn:: Sm9z*\n",
            "syntax",
            "line 1: \"cn\" is not valid Base64: export the entry again",
        ),
    ]
}
