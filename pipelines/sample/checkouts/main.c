/* Copyright (c) 2022 the Altiplano project. Licensed under the MIT licence. */
#include <stdio.h>
#include <stdlib.h>

#include "tides.h"

/* Prints a day: twenty-five heights, then the turns of the water. */
int main(int argc, char **argv)
{
    struct harbour harbour;
    int line;
    double start, turn;

    if (argc != 3) {
        fprintf(stderr, "usage: %s harbour hours-since-epoch\n", argv[0]);
        return 2;
    }
    line = read_harbour(argv[1], &harbour);
    if (line != 0) {
        fprintf(stderr, "%s: line %d: a name, a speed, an amplitude and a phase are wanted\n", argv[1], line);
        return 1;
    }
    start = atof(argv[2]);
    printf("%s\n", harbour.name);
    for (int hour = 0; hour <= 24; hour++)
        printf("%02d:00  %5.2f m\n", hour, height(&harbour, start + hour));
    for (turn = next_turn(&harbour, start); turn < start + 24.0; turn = next_turn(&harbour, turn + 1.0)) {
        int minutes = (int)((turn - start) * 60.0 + 0.5);

        printf("turns at %02d:%02d, %5.2f m\n", minutes / 60, minutes % 60, height(&harbour, turn));
    }
    return 0;
}
