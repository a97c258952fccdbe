/* LLVM's unwinder in Debian is built for glibc's checked functions, which musl does not have. */
#include <stdarg.h>
#include <stdio.h>

int __vfprintf_chk(FILE *stream, int flag, const char *format, va_list arguments) {
    return vfprintf(stream, format, arguments);
}

int __vsnprintf_chk(char *text, size_t size, int flag, size_t length, const char *format, va_list arguments) {
    return vsnprintf(text, size, format, arguments);
}
