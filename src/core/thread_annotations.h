// What clang's -Wthread-safety checks: which lock guards a member, which function needs or takes it.
// With any other compiler these words mean nothing. Their grammar is clang's: "Thread Safety
// Analysis" in its manual. The locks that carry them are in core/mutex.h.
#pragma once

#if defined(__clang__)
#define CHORUS_THREAD_ANNOTATION(attribute) __attribute__((attribute))
#else
#define CHORUS_THREAD_ANNOTATION(attribute)
#endif

// A class whose objects are locks; one whose objects hold a lock while they live.
#define CHORUS_CAPABILITY(name) CHORUS_THREAD_ANNOTATION(capability(name))
#define CHORUS_SCOPED_CAPABILITY CHORUS_THREAD_ANNOTATION(scoped_lockable)

// A member that is read and written only while `lock` is held.
#define CHORUS_GUARDED_BY(lock) CHORUS_THREAD_ANNOTATION(guarded_by(lock))

// A function that is called while the locks are held; that takes them; that lets them go; that must
// not be called while they are held.
#define CHORUS_REQUIRES(...) CHORUS_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define CHORUS_ACQUIRE(...) CHORUS_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define CHORUS_RELEASE(...) CHORUS_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define CHORUS_EXCLUDES(...) CHORUS_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
