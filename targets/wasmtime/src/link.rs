//! Gives a module what it imports: the interface's functions, and for every other a function that
//! ends the program when it is called.

use crate::run::Running;
use tau_target_wasi::{Function, MAX_PARAMETERS, Refusal, Trap, find};
use wasmtime::{
    Caller, Engine, Extern, ExternType, FuncType, ImportType, Linker, Module, Result, Val, ValType,
};

/// What `module` imports, from this crate's interface or refused.
pub(crate) fn linker(engine: &Engine, module: &Module) -> Result<Linker<Running>, Refusal> {
    let mut linker = Linker::new(engine);
    // The same import may stand in a module twice.
    linker.allow_shadowing(true);
    for import in module.imports() {
        let kind = match import.ty() {
            ExternType::Func(ty) => {
                define(engine, &mut linker, &import, ty)
                    .map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
                continue;
            }
            ExternType::Memory(_) => "memory",
            ExternType::Table(_) => "table",
            _ => "global",
        };
        return Err(Refusal::Import {
            kind,
            module: import.module().to_owned(),
            name: import.name().to_owned(),
        });
    }
    Ok(linker)
}

fn define(
    engine: &Engine,
    linker: &mut Linker<Running>,
    import: &ImportType<'_>,
    ty: FuncType,
) -> Result<()> {
    let (module, name) = (import.module(), import.name());
    match find(module, name) {
        Some(function) if FuncType::eq(&ty, &type_of(engine, function)) => {
            linker.func_new(module, name, ty, move |caller, given, results| {
                call(caller, function, given, results)
            })?;
        }
        // One of another type is not the function of that name.
        _ => {
            let (from, of) = (module.to_owned(), name.to_owned());
            linker.func_new(module, name, ty, move |mut caller, _, _| {
                Err(caller.data_mut().state_mut().end_unknown(&from, &of).into())
            })?;
        }
    }
    Ok(())
}

fn type_of(engine: &Engine, function: &Function) -> FuncType {
    let parameters = function.parameters.bytes().map(|letter| match letter {
        b'I' => ValType::I64,
        _ => ValType::I32,
    });
    FuncType::new(engine, parameters, function.returns.then_some(ValType::I32))
}

/// Calls a function of the interface with the memory of the program that calls it.
fn call(
    mut caller: Caller<'_, Running>,
    function: &'static Function,
    given: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let mut arguments = [0; MAX_PARAMETERS];
    for (argument, value) in arguments.iter_mut().zip(given) {
        *argument = match value {
            Val::I32(value) => u64::from(*value as u32),
            Val::I64(value) => *value as u64,
            _ => 0,
        };
    }
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let answer = match memory {
        Some(memory) => {
            let (bytes, running) = memory.data_and_store_mut(&mut caller);
            function.call(running.state_mut(), bytes, arguments)
        }
        None => function.call(caller.data_mut().state_mut(), &mut [], arguments),
    };
    let errno = answer?;
    let charge = caller.data_mut().state_mut().take_charge();
    match caller.get_fuel()?.checked_sub(charge) {
        Some(left) => caller.set_fuel(left)?,
        None => {
            caller.set_fuel(0)?;
            return Err(caller.data_mut().state_mut().end(Trap::Fuel).into());
        }
    }
    if let Some(result) = results.first_mut() {
        *result = Val::I32(errno);
    }
    Ok(())
}
