//! What `wit-bindgen` makes of the interface in `sdk/wit`.

/// The types, and what a plugin may ask of its host.
pub mod imports {
    wit_bindgen::generate!({
        path: "../wit",
        world: "imports",
        generate_all,
        additional_derives: [PartialEq],
    });
}

/// Each interface a plugin may export has a world of its own here, so that a plugin exports what it says and no more.
pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package tidegate:sdk; world lifecycle-only { export tidegate:plugin/lifecycle@0.1.0; }",
        with: { "tidegate:plugin/types@0.1.0": crate::bindings::imports::tidegate::plugin::types },
        pub_export_macro: true,
        export_macro_name: "__export_lifecycle",
        default_bindings_module: "tidegate_plugin::bindings::lifecycle",
    });
}

pub mod request {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package tidegate:sdk; world request-only { export tidegate:plugin/request-hook@0.1.0; }",
        with: { "tidegate:plugin/types@0.1.0": crate::bindings::imports::tidegate::plugin::types },
        pub_export_macro: true,
        export_macro_name: "__export_request",
        default_bindings_module: "tidegate_plugin::bindings::request",
    });
}

pub mod response {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package tidegate:sdk; world response-only { export tidegate:plugin/response-hook@0.1.0; }",
        with: { "tidegate:plugin/types@0.1.0": crate::bindings::imports::tidegate::plugin::types },
        pub_export_macro: true,
        export_macro_name: "__export_response",
        default_bindings_module: "tidegate_plugin::bindings::response",
    });
}

pub mod stream {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package tidegate:sdk; world stream-only { export tidegate:plugin/stream-hook@0.1.0; }",
        with: { "tidegate:plugin/types@0.1.0": crate::bindings::imports::tidegate::plugin::types },
        pub_export_macro: true,
        export_macro_name: "__export_stream",
        default_bindings_module: "tidegate_plugin::bindings::stream",
    });
}
