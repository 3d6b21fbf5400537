//! x
wasmtime::component::bindgen!({
    path: "sdk/wit",
    world: "step",
    imports: {
        "tidegate:plugin/kv": async | trappable,
        "tidegate:plugin/http": async | trappable,
        "tidegate:plugin/model": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
