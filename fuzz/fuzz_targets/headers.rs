//! A request's bytes, read by the HTTP library and then for the caller's credentials and the client's address.
#![no_main]

use actix_http::{
    HttpMessage as _, Request, ServiceConfig,
    h1::{Codec, Message},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use rocketchat_import::{domain::api::client_address::Proxies, fuzzing::credentials};
use rocketchat_import_fuzz::assert_is_a_refusal;
use sha2::{Digest as _, Sha256};
use tokio::{
    runtime::{Builder, Runtime},
    task::LocalSet,
};
use tokio_util::codec::Decoder as _;

/// The library's reader wants a clock that ticks.
struct Reader {
    runtime: Runtime,
    tasks: LocalSet,
    config: ServiceConfig,
}

impl Reader {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let tasks = LocalSet::new();
        let config = tasks.block_on(&runtime, async { ServiceConfig::default() });
        Self { runtime, tasks, config }
    }

    /// The request that begins with these bytes, if they are the whole of its head.
    fn read(&self, bytes: &[u8]) -> Option<Request> {
        let mut bytes = BytesMut::from(bytes);
        let read = async { Codec::new(self.config.clone()).decode(&mut bytes) };
        match self.tasks.block_on(&self.runtime, read) {
            Ok(Some(Message::Item(request))) => Some(request),
            _ => None,
        }
    }
}

thread_local! {
    static READER: Reader = Reader::new();
}

fuzz_target!(|request: &[u8]| {
    let Some(request) = READER.with(|reader| reader.read(request)) else { return };
    let values = |name: &str| {
        let values: Vec<&[u8]> = request.headers().get_all(name).map(|value| value.as_bytes()).collect();
        values.join(&b", "[..])
    };
    let (user_id, token) = (values("x-user-id"), values("x-auth-token"));
    match credentials(request.headers()) {
        Ok((read, hashed)) => {
            let bytes: Vec<u8> = read.chars().map(|character| u8::try_from(character).expect("Latin-1")).collect();
            assert!(!read.is_empty() && !token.is_empty());
            assert_eq!(bytes, user_id);
            // As Node hashes it: a Latin-1 header read into a text, the text hashed as UTF-8.
            let text: String = token.iter().copied().map(char::from).collect();
            assert_eq!(hashed.as_str(), BASE64_STANDARD.encode(Sha256::digest(text)));
            assert!(!format!("{hashed:?}").contains(hashed.as_str()));
        }
        Err(refusal) => {
            assert!(user_id.is_empty() || token.is_empty());
            assert_is_a_refusal(&refusal, 401);
        }
    }
    let text = |name| values(name).iter().copied().map(char::from).collect::<String>();
    assert_address_cannot_be_chosen(&text("x-forwarded-for"), &text("x-real-ip"));
});

/// Whatever a client writes, its address is what the proxy has written behind that.
fn assert_address_cannot_be_chosen(forwarded_for: &str, real_ip: &str) {
    let [proxy, client, stranger] =
        ["10.0.0.1", "203.0.113.9", "198.51.100.1"].map(|ip| ip.parse().expect("an address"));
    let listed = Proxies { trusted: "10.0.0.0/8".parse().expect("a network"), count: 0 };
    let counted = Proxies { count: 1, ..Proxies::default() };
    let appended = format!("{forwarded_for}, {client}");
    for proxies in [&listed, &counted] {
        assert_eq!(proxies.client(proxy, &appended, real_ip), client);
        // Whatever comes out of these, they end.
        let _ = proxies.client(proxy, forwarded_for, real_ip);
    }
    assert_eq!(listed.client(stranger, forwarded_for, real_ip), stranger);
    assert_eq!(Proxies::default().client(stranger, forwarded_for, real_ip), stranger);
}
