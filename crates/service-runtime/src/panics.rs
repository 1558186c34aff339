/// Sends panics to the log, where they are seen, instead of bare text on standard error.
pub(crate) fn log_them() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(
            thread = thread.name().unwrap_or("unnamed"),
            location = panic.location().map(ToString::to_string),
            backtrace = %std::backtrace::Backtrace::capture(),
            "panic: {}",
            panic.payload_as_str().unwrap_or("(no message)"),
        );
    }));
}
