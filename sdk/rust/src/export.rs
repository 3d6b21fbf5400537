//! From the traits of this crate to the functions a component exports.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::__private::{lifecycle, request, response, stream};
use crate::{
    ChatRequest, ChatResponse, Context, Delta, Failure, Hook, OnRequest, OnResponse, OnStream, Outcome, Plugin,
    Session, StreamOutcome, Usage,
};

/// Exports a plugin and the hooks it has: `export!(Topics: request, stream);`, once in a crate.
///
/// Off Wasm it only checks that the hooks are there.
#[macro_export]
macro_rules! export {
    ($plugin:ty: $($hook:ident),+ $(,)?) => {
        #[doc(hidden)]
        const _: () = {
            struct Here;

            impl $crate::Slot for Here {
                type Plugin = $plugin;

                const HOOKS: &'static [$crate::Hook] = &[$($crate::__hook!($hook)),+];

                fn slot() -> &'static ::std::thread::LocalKey<$crate::Stage<$plugin>> {
                    ::std::thread_local! {
                        static PLUGIN: $crate::Stage<$plugin> = const { $crate::Stage::new(None) };
                    }
                    &PLUGIN
                }
            }

            type Exported = $crate::Glue<Here>;
            $crate::__export_hook!(lifecycle Exported);
            $($crate::__export_hook!($hook Exported);)+
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __hook {
    (request) => {
        $crate::Hook::OnRequest
    };
    (response) => {
        $crate::Hook::OnResponse
    };
    (stream) => {
        $crate::Hook::OnStream
    };
    ($other:ident) => {
        compile_error!(concat!("unknown hook `", stringify!($other), "`: hooks are `request`, `response`, `stream`"))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_hook {
    (lifecycle $exported:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::lifecycle::__export_lifecycle!($exported with_types_in $crate::bindings::lifecycle);
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn check<P: $crate::__private::lifecycle::exports::tidegate::plugin::lifecycle::Guest>() {}
            check::<$exported>();
        };
    };
    (request $exported:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::request::__export_request!($exported with_types_in $crate::bindings::request);
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn check<P: $crate::__private::request::exports::tidegate::plugin::request_hook::Guest>() {}
            check::<$exported>();
        };
    };
    (response $exported:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::response::__export_response!($exported with_types_in $crate::bindings::response);
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn check<P: $crate::__private::response::exports::tidegate::plugin::response_hook::Guest>() {}
            check::<$exported>();
        };
    };
    (stream $exported:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::stream::__export_stream!($exported with_types_in $crate::bindings::stream);
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn check<P: $crate::__private::stream::exports::tidegate::plugin::stream_hook::Guest>() {}
            check::<$exported>();
        };
    };
    // `__hook!` has complained.
    ($other:ident $exported:ident) => {};
}

/// Where an instance keeps its plugin.
pub type Stage<P> = RefCell<Option<Rc<P>>>;

/// Names a [`Stage`].
pub trait Slot: 'static {
    type Plugin: Plugin;

    const HOOKS: &'static [Hook];

    fn slot() -> &'static std::thread::LocalKey<Stage<Self::Plugin>>;
}

fn plugin<S: Slot>() -> Result<Rc<S::Plugin>, Failure> {
    let plugin = S::slot().with(|stage| stage.borrow().clone());
    plugin.ok_or_else(|| Failure::Internal("a hook was called before `configure`".into()))
}

/// A plugin in the shape the component model wants.
pub struct Glue<S>(PhantomData<S>);

impl<S: Slot> lifecycle::exports::tidegate::plugin::lifecycle::Guest for Glue<S> {
    fn describe() -> lifecycle::exports::tidegate::plugin::lifecycle::About {
        S::Plugin::about().with_hooks(S::HOOKS)
    }

    fn configure(config_json: String) -> Result<(), Failure> {
        let config = serde_json::from_str(&config_json).map_err(|error| Failure::Config(error.to_string()))?;
        let plugin = S::Plugin::new(config)?;
        S::slot().with(|stage| stage.replace(Some(Rc::new(plugin))));
        Ok(())
    }
}

impl<S: Slot<Plugin: OnRequest>> request::exports::tidegate::plugin::request_hook::Guest for Glue<S> {
    fn on_request(cx: Context, request: ChatRequest) -> Result<Outcome, Failure> {
        plugin::<S>()?.on_request(&cx, &request)
    }
}

impl<S: Slot<Plugin: OnResponse>> response::exports::tidegate::plugin::response_hook::Guest for Glue<S> {
    fn on_response(cx: Context, request: ChatRequest, answer: ChatResponse) -> Result<Outcome, Failure> {
        plugin::<S>()?.on_response(&cx, &request, &answer)
    }
}

impl<S: Slot<Plugin: OnStream>> stream::exports::tidegate::plugin::stream_hook::Guest for Glue<S> {
    type Session = Open<<S::Plugin as OnStream>::Session, S>;
}

/// One answer. The constructor cannot fail, so that what went wrong there is told with the first batch.
pub struct Open<T, S>(RefCell<Result<T, Failure>>, PhantomData<S>);

impl<S: Slot<Plugin: OnStream<Session = T>>, T: Session> stream::exports::tidegate::plugin::stream_hook::GuestSession
    for Open<T, S>
{
    fn new(cx: Context, request: ChatRequest) -> Self {
        Self(RefCell::new(plugin::<S>().and_then(|plugin| plugin.open(&cx, &request))), PhantomData)
    }

    fn push(&self, batch: Vec<Delta>) -> Result<StreamOutcome, Failure> {
        self.0.borrow_mut().as_mut().map_err(|failure| failure.clone())?.push(batch)
    }

    fn finish(&self, usage: Option<Usage>) -> Result<StreamOutcome, Failure> {
        self.0.borrow_mut().as_mut().map_err(|failure| failure.clone())?.finish(usage)
    }
}

#[cfg(test)]
mod tests {
    use crate::bindings::lifecycle::exports::tidegate::plugin::lifecycle::Guest as _;
    use crate::bindings::request::exports::tidegate::plugin::request_hook::Guest as _;
    use crate::prelude::*;
    use crate::testing::{Host, ask};
    use crate::{Glue, Hook, Slot, Stage};

    struct Nothing;

    impl Plugin for Nothing {
        type Config = NoConfig;

        fn about() -> About {
            about!("does nothing")
        }

        fn new(_: NoConfig) -> Result<Self, Failure> {
            Ok(Self)
        }
    }

    impl OnRequest for Nothing {
        fn on_request(&self, _: &Context, _: &ChatRequest) -> Result<Outcome, Failure> {
            Ok(Outcome::pass())
        }
    }

    struct Here;

    impl Slot for Here {
        type Plugin = Nothing;

        const HOOKS: &'static [Hook] = &[Hook::OnRequest];

        fn slot() -> &'static std::thread::LocalKey<Stage<Nothing>> {
            std::thread_local! {
                static PLUGIN: Stage<Nothing> = const { Stage::new(None) };
            }
            &PLUGIN
        }
    }

    #[test]
    fn a_plugin_is_called_once_it_is_configured_as_it_wants() {
        let call = || Glue::<Here>::on_request(Host::new().context(), ask("hello"));
        assert!(matches!(call(), Err(Failure::Internal(_))));
        assert!(matches!(Glue::<Here>::configure(r#"{"a": 1}"#.into()), Err(Failure::Config(_))));
        Glue::<Here>::configure("{}".into()).unwrap();
        assert_eq!(call(), Ok(Outcome::pass()));
        assert_eq!(Glue::<Here>::describe().hooks, [Hook::OnRequest]);
    }
}
