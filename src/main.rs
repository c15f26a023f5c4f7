//! The program `cola`.

mod cli;

fn main() -> std::process::ExitCode {
    quiet_mesa();
    cli::main()
}

/// Without a desktop, Mesa's device-select layer prints `error: XDG_RUNTIME_DIR is invalid` at every start. Its job,
/// putting the desktop's GPU first, is one that we do not use; it steps aside when asked to.
fn quiet_mesa() {
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: nothing has run before this, so no other thread reads the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
