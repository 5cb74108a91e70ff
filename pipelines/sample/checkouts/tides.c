/*
 * Copyright (c) 2022 the Altiplano project
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software, to deal in the
 * Software without restriction. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND.
 *
 * The sum of cosines itself, and the search for the moments at which its slope is nothing.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tides.h"

static const double RADIANS = 3.14159265358979323846 / 180.0;

int read_harbour(const char *path, struct harbour *harbour)
{
    FILE *file = fopen(path, "r");
    char line[256];
    int number = 1;

    if (file == NULL)
        return 1;
    memset(harbour, 0, sizeof *harbour);
    if (fscanf(file, "%63[^\n]\n%lf\n", harbour->name, &harbour->mean_level) != 2) {
        fclose(file);
        return number;
    }
    for (number = 3; fgets(line, sizeof line, file) != NULL; number++) {
        struct constituent *part = &harbour->parts[harbour->count];

        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (harbour->count == MAX_CONSTITUENTS
            || sscanf(line, "%7s %lf %lf %lf", part->name, &part->speed, &part->amplitude, &part->phase) != 4) {
            fclose(file);
            return number;
        }
        harbour->count++;
    }
    fclose(file);
    return 0;
}

double height(const struct harbour *harbour, double hours)
{
    double sum = harbour->mean_level;

    for (int i = 0; i < harbour->count; i++) {
        const struct constituent *part = &harbour->parts[i];

        sum += part->amplitude * cos((part->speed * hours - part->phase) * RADIANS);
    }
    return sum;
}

static double slope(const struct harbour *harbour, double hours)
{
    double sum = 0.0;

    for (int i = 0; i < harbour->count; i++) {
        const struct constituent *part = &harbour->parts[i];

        sum -= part->amplitude * part->speed * RADIANS * sin((part->speed * hours - part->phase) * RADIANS);
    }
    return sum;
}

double next_turn(const struct harbour *harbour, double hours)
{
    /* Tides turn every six hours or so: steps of ten minutes miss none, and bisection finds the second. */
    const double step = 1.0 / 6.0;
    double low = hours, high = hours + step;

    while (slope(harbour, low) * slope(harbour, high) > 0.0) {
        low = high;
        high += step;
    }
    while (high - low > 1.0 / 3600.0) {
        double middle = (low + high) / 2.0;

        if (slope(harbour, low) * slope(harbour, middle) <= 0.0)
            high = middle;
        else
            low = middle;
    }
    return (low + high) / 2.0;
}
