//! One run: a fresh store, the limits, and the end in the interface's words.

use tau_target_wasi::{Call, Growth, Outcome, State, Stop, Trap};
use wasmtime::{InstancePre, ResourceLimiter, Result, Store, UpdateDeadline};

/// What a store holds.
pub(crate) struct Running {
    state: State,
    limiter: Limiter,
}

impl Running {
    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

struct Limiter(Growth);

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let maximum = maximum.map(|maximum| maximum as u64);
        self.0.memory(desired as u64, maximum).map_err(ended)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let maximum = maximum.map(|maximum| maximum as u64);
        self.0
            .table(current as u64, desired as u64, maximum)
            .map_err(ended)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        100
    }

    fn memories(&self) -> usize {
        1
    }
}

fn ended(trap: Trap) -> wasmtime::Error {
    Stop::Trap(trap).into()
}

/// Runs the program once.
pub(crate) fn run(ready: &InstancePre<Running>, call: Call<'_>) -> Outcome {
    let fuel = call.limits.fuel;
    let running = Running {
        limiter: Limiter(Growth::new(call.limits)),
        state: State::new(call),
    };
    let mut store = Store::new(ready.module().engine(), running);
    store.limiter(|running| &mut running.limiter);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        store.data_mut().state.left_ns()?;
        Ok(UpdateDeadline::Continue(1))
    });
    let ended = go(&mut store, ready, fuel);
    let left = store.get_fuel().unwrap_or(0);
    let Running { state, limiter } = store.into_data();
    let ended = ended.map_err(|error| trap(&error));
    state.finish(limiter.0, ended, fuel.saturating_sub(left))
}

fn go(store: &mut Store<Running>, ready: &InstancePre<Running>, fuel: u64) -> Result<()> {
    store.set_fuel(fuel)?;
    let instance = ready.instantiate(&mut *store)?;
    let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
    start.call(store, ())
}

/// The interface's name for what the engine says.
fn trap(error: &wasmtime::Error) -> Trap {
    use wasmtime::Trap as Code;
    match error.downcast_ref::<Code>() {
        Some(Code::UnreachableCodeReached) => Trap::Unreachable,
        Some(Code::MemoryOutOfBounds) => Trap::Bounds,
        Some(Code::TableOutOfBounds) => Trap::TableBounds,
        Some(Code::IndirectCallToNull) => Trap::NullFunction,
        Some(Code::IntegerDivisionByZero) => Trap::DivideByZero,
        Some(Code::IntegerOverflow) => Trap::IntegerOverflow,
        Some(Code::BadConversionToInteger) => Trap::BadConversion,
        Some(Code::StackOverflow) => Trap::Stack,
        Some(Code::BadSignature) => Trap::BadSignature,
        Some(Code::OutOfFuel) => Trap::Fuel,
        Some(Code::Interrupt) => Trap::Deadline,
        Some(other) => Trap::Other(other.to_string()),
        None => Trap::Other(format!("{error:#}")),
    }
}
