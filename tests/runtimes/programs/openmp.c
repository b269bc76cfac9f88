#include <omp.h>
#include <stdio.h>

int main(void) {
    int threads = 0;
#pragma omp parallel
#pragma omp single
    threads = omp_get_num_threads();
    printf("threads=%d\nteam=%d\n", omp_get_max_threads(), threads);
    return 0;
}
