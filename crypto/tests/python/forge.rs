//! What no library makes: certificates and lists of the test authority with other contents, signed anew.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use crate::file;

/// The first PEM block of a file, in which `edit` has changed the contents of what is signed.
pub(crate) fn forged(name: &str, edit: impl FnOnce(&mut Vec<u8>)) -> String {
    let block = pem::parse(std::fs::read(file(name)).unwrap()).unwrap();
    let mut signed = members(block.contents());
    let rest = signed.split_off(header(&signed) + length(&signed));
    let mut contents = members(&signed);
    edit(&mut contents);
    let signed = sequence(&contents);
    let key = PKey::private_key_from_pem(&std::fs::read(file("ca-itself.key")).unwrap()).unwrap();
    let signature = Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(&signed).unwrap();
    let (kinds, _) = rest.split_at(rest.len() - signature.len());
    let whole = sequence(&[&signed, kinds, &signature].concat());
    pem::encode(&pem::Pem::new(block.tag(), whole))
}

/// What a sequence holds.
fn members(sequence: &[u8]) -> Vec<u8> {
    sequence[header(sequence)..].to_vec()
}

/// How many bytes stand before the members of a sequence.
fn header(sequence: &[u8]) -> usize {
    match sequence[1] {
        0x82 => 4,
        0x81 => 3,
        _ => 2,
    }
}

fn length(sequence: &[u8]) -> usize {
    let bytes = if header(sequence) == 2 { &sequence[1..2] } else { &sequence[2..header(sequence)] };
    bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
}

fn sequence(members: &[u8]) -> Vec<u8> {
    let length = u16::try_from(members.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let header: &[u8] = match length {
        ..0x80 => &[0x30, low],
        0x80..0x100 => &[0x30, 0x81, low],
        _ => &[0x30, 0x82, high, low],
    };
    [header, members].concat()
}
