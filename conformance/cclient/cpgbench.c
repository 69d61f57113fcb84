/*
 * cpgbench: measures a daemon through the stock library.
 *
 *   cpgbench flood GROUP SIZE SECONDS   multicast as fast as the daemon takes them;
 *                                       prints "flood OWN ALL SECONDS": own messages and
 *                                       all messages delivered here, and in what time
 *   cpgbench rtt GROUP SIZE COUNT       one message at a time, to oneself; prints
 *                                       "rtt P50 P90 P99 MAX" in microseconds
 *   cpgbench sink GROUP SECONDS         only receives; prints "flood 0 ALL SECONDS"
 *   cpgbench idle GROUP COUNT           holds COUNT connections, of which one is in the
 *                                       group; prints "idle" when it has them all, and
 *                                       ends at the next line of input
 *
 * It prints "ready" once it has joined and starts at the first line of input.
 */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint32_t self;
static unsigned long own, all;
static size_t size;


static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *msg, size_t len)
{
	(void)h, (void)g, (void)msg, (void)len;
	all++;
	if (node == self && pid == (uint32_t)getpid())
		own++;

}

static void confchg(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
		    const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj)
{
	(void)h, (void)g, (void)m, (void)nm, (void)l, (void)nl, (void)j, (void)nj;
}

static int fail(const char *what, cs_error_t e)
{
	fprintf(stderr, "cpgbench: %s: %d\n", what, (int)e);
	return 1;
}

static void wait_event(cpg_handle_t h, int ms)
{
	int fd;
	cpg_fd_get(h, &fd);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, ms) > 0)
		cpg_dispatch(h, CS_DISPATCH_ALL);
}

static int flood(cpg_handle_t h, double seconds, int sending)
{
	char *buf = calloc(1, size + 1);
	struct iovec v = {.iov_base = buf, .iov_len = size};
	unsigned long sent = 0;
	double start = now(), stop = start + seconds;

	while (now() < stop) {
		if (!sending) {
			wait_event(h, 50);
			continue;
		}
		/* no more than a few thousand under way, so that what is measured is delivery */
		unsigned long window = size > 4096 ? 512 : 4096;
		cs_error_t e = CS_OK;
		for (int i = 0; i < 32 && sent - own < window && e == CS_OK; i++)
			if ((e = cpg_mcast_joined(h, CPG_TYPE_AGREED, &v, 1)) == CS_OK)
				sent++;
		if (e != CS_OK && e != CS_ERR_TRY_AGAIN)
			return fail("mcast", e);
		wait_event(h, e == CS_OK && sent - own < window ? 0 : 1);
	}
	double took = now() - start;
	printf("flood %lu %lu %.6f\n", own, all, took);
	fflush(stdout);
	/* let what is under way arrive before leaving, so that others are not cut short */
	for (double end = now() + 1; now() < end && own < sent;)
		wait_event(h, 10);
	free(buf);
	return 0;
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int rtt(cpg_handle_t h, unsigned long count)
{
	char *buf = calloc(1, size + 1);
	double *t = calloc(count, sizeof *t);
	struct iovec v = {.iov_base = buf, .iov_len = size};

	for (unsigned long i = 0; i < count; i++) {
		unsigned long want = own + 1;
		double start = now();
		cs_error_t e;
		while ((e = cpg_mcast_joined(h, CPG_TYPE_AGREED, &v, 1)) == CS_ERR_TRY_AGAIN)
			usleep(100);
		if (e != CS_OK)
			return fail("mcast", e);
		while (own < want && now() < start + 10)
			wait_event(h, 1000);
		t[i] = now() - start;
	}
	qsort(t, count, sizeof *t, cmp);
	printf("rtt %.1f %.1f %.1f %.1f\n", t[count / 2] * 1e6, t[count * 9 / 10] * 1e6, t[count * 99 / 100] * 1e6,
	       t[count - 1] * 1e6);
	free(buf), free(t);
	return 0;
}

static int idle(cpg_handle_t h, unsigned long count, cpg_model_v1_data_t *model)
{
	char line[16];
	cs_error_t e;

	for (cpg_handle_t more; count > 1; count--)
		while ((e = cpg_model_initialize(&more, CPG_MODEL_V1, (cpg_model_data_t *)model, NULL)) != CS_OK)
			if (e != CS_ERR_TRY_AGAIN)
				return fail("initialize", e);
	printf("idle\n");
	fflush(stdout);
	while (poll(&(struct pollfd){.fd = 0, .events = POLLIN}, 1, 0) == 0)
		wait_event(h, 100);
	return fgets(line, sizeof line, stdin) == NULL;
}

int main(int argc, char **argv)
{
	cpg_model_v1_data_t model = {.model = CPG_MODEL_V1, .cpg_deliver_fn = deliver, .cpg_confchg_fn = confchg};
	struct cpg_name g;
	cpg_handle_t h;
	cs_error_t e;
	char line[16];
	int tries = 0;

	if (argc < 4 || strlen(argv[2]) > CPG_MAX_NAME_LENGTH)
		return fail("usage", 0);
	g.length = strlen(argv[2]);
	memcpy(g.value, argv[2], g.length);
	while ((e = cpg_model_initialize(&h, CPG_MODEL_V1, (cpg_model_data_t *)&model, NULL)) != CS_OK)
		if (tries++ > 200)
			return fail("initialize", e);
		else
			usleep(50000);
	while ((e = cpg_join(h, &g)) == CS_ERR_TRY_AGAIN)
		usleep(50000);
	if (e != CS_OK)
		return fail("join", e);
	cpg_local_get(h, &self);
	printf("ready\n");
	fflush(stdout);
	while (poll(&(struct pollfd){.fd = 0, .events = POLLIN}, 1, 0) == 0)
		wait_event(h, 10);
	if (!fgets(line, sizeof line, stdin))
		return 1;
	own = all = 0;
	if (strcmp(argv[1], "sink") == 0)
		return flood(h, atof(argv[3]), 0);
	if (strcmp(argv[1], "idle") == 0)
		return idle(h, (unsigned long)atol(argv[3]), &model);
	size = (size_t)atol(argv[3]);
	if (strcmp(argv[1], "flood") == 0 && argc == 5)
		return flood(h, atof(argv[4]), 1);
	if (strcmp(argv[1], "rtt") == 0 && argc == 5)
		return rtt(h, (unsigned long)atol(argv[4]));
	return fail("usage", 0);
}
