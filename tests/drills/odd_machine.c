/* Preloaded into the server and the database: a clock that is wrong, and a disk that is slow, as a file of two numbers says.
   cc -shared -fPIC -O1 -o odd_machine.so odd_machine.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* [0]: seconds that the clock is ahead; [1]: milliseconds that each flush takes longer. */
static volatile int64_t *odd;
static int64_t nothing[2];

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("ODD_MACHINE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *shared = file < 0 ? MAP_FAILED : mmap(NULL, sizeof nothing, PROT_READ, MAP_SHARED, file, 0);
    odd = shared == MAP_FAILED ? nothing : shared;
    if (file >= 0) close(file);
}

static int64_t ahead(void) { return odd ? odd[0] : 0; }

int clock_gettime(clockid_t which, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(which, now);
    if (!done && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead();
    return done;
}

int gettimeofday(struct timeval *now, void *zone)
{
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int done = real(now, zone);
    if (!done) now->tv_sec += ahead();
    return done;
}

time_t time(time_t *told)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}

static void wait_for_the_disk(void)
{
    for (int64_t done = 0; odd && done < odd[1]; done += 10) usleep(10000);
}

int fsync(int file)
{
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    wait_for_the_disk();
    return real(file);
}

int fdatasync(int file)
{
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    wait_for_the_disk();
    return real(file);
}
