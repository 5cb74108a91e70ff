/*
 * tides.h - heights of the tide from harmonic constants
 *
 * Copyright (c) 2022 the Altiplano project
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software, to deal in the
 * Software without restriction. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND.
 */
#ifndef TIDES_H
#define TIDES_H

#define MAX_CONSTITUENTS 37

struct constituent {
    char name[8];
    double speed;     /* degrees an hour */
    double amplitude; /* metres */
    double phase;     /* degrees behind the equilibrium tide */
};

struct harbour {
    char name[64];
    double mean_level; /* metres above the chart's zero */
    int count;
    struct constituent parts[MAX_CONSTITUENTS];
};

/* Read a harbour's constants. Returns 0, or the number of the first line that makes no sense. */
int read_harbour(const char *path, struct harbour *harbour);

/* The height in metres, `hours` after the epoch of the constants. */
double height(const struct harbour *harbour, double hours);

/* The next moment after `hours` at which the water turns. */
double next_turn(const struct harbour *harbour, double hours);

#endif
