#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 40 };

static pthread_barrier_t barrier;

/* All threads live at once, and each has allocated. */
static void *allocate(void *unused) {
    void *memory = malloc(1000);
    pthread_barrier_wait(&barrier);
    free(memory);
    return unused;
}

int main(void) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int index = 0; index < THREADS; index++) {
        pthread_create(&threads[index], NULL, allocate, NULL);
    }
    for (int index = 0; index < THREADS; index++) {
        pthread_join(threads[index], NULL);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    malloc_info(0, stream);
    fclose(stream);
    int arenas = 0;
    for (char *at = text; (at = strstr(at, "<heap nr=")) != NULL; at++) {
        arenas++;
    }
    printf("arenas=%d\n", arenas);
    return 0;
}
