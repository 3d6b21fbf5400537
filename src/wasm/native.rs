//! Loading compiled code: the one place where the compiler does not watch.
//!
//! [`Component::deserialize`] runs what it is given as native code, so it is unsafe to call with bytes that wasmtime has not
//! written. It is called here alone, and with nothing but [`OwnCode`].

use wasmtime::component::Component;

/// Bytes that `Component::serialize` has written in a process of this gateway.
pub struct OwnCode<'a>(&'a [u8]);

impl<'a> OwnCode<'a> {
    /// Says that these are such bytes. Whoever says so has proved it: with a MAC over all of them, under a key that nobody but
    /// the gateway's own user can read.
    pub fn written_here(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

/// Loads compiled code; `None` if another version or another setting of the engine has compiled it.
#[expect(unsafe_code, reason = "loading what this gateway has compiled before")]
pub fn load(engine: &wasmtime::Engine, code: OwnCode<'_>) -> Option<Component> {
    // SAFETY: `deserialize` asks that the bytes are those of `serialize`, unchanged, and that nobody can change them while
    // they are used.
    //  * They are: only `CodeCache::load` makes an `OwnCode`, once the MAC that `CodeCache::write` put beside the bytes has
    //    been verified over every one of them. The key is 32 random bytes in a file of mode 0600 in a folder of mode 0700, both
    //    this user's; who can read it can also trace this process, and gains nothing.
    //  * They cannot be changed: the very slice in memory that was verified is handed over, not the file, and it is
    //    copied before it is run.
    //  * That they fit this engine, its version and the machine is checked by `deserialize` itself, which then fails.
    unsafe { Component::deserialize(engine, code.0) }.ok()
}
