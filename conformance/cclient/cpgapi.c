/*
 * cpgapi: calls the functions of stock libcpg as it is told on standard input and
 * tells what they returned, so that two daemons can be compared call by call. It
 * is linked with the stock library only.
 *
 * Commands, one a line; H is a handle's number, 0 to 7. The answer to each ends
 * with a line that is just a dot.
 *   init H v0|v1|ring|N       cpg_initialize; cpg_model_initialize, with the flag
 *                             for the initial ring, or with model N
 *   join|leave H NAME         NAME is its bytes; x*N stands for x N times, a
 *                             final ^ for a NUL that counts, - for no bytes
 *   mcast H COUNT SIZE TYPE VECTORS
 *   members H NAME            cpg_membership_get
 *   iterate H TYPE NAME       all of an iteration, then once more after its end
 *   next N, end N             cpg_iteration_next, _finalize with a bogus handle
 *   state H                   local node, flow control, largest atomic message
 *   context H                 cpg_context_set and _get, cpg_fd_get
 *   zero H SIZE               cpg_zcb_alloc, _mcast_joined, _free
 *   dispatch H FLAGS          cpg_dispatch, once
 *   events H N                dispatch until N events were told, 5 s at most
 *   quiet H MS                dispatch for so long
 *   finalize H
 *   die                       end without a word to the daemon
 *
 * Events, while dispatching:
 *   H confchg NAME m=NODE:PID,... l=NODE:PID:REASON,... j=NODE:PID:REASON,...
 *   H ring REP NODE,...
 *   H deliver NAME NODE PID LEN FNV1A
 */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { handles = 8 };
static cpg_handle_t handle[handles];
static unsigned told[handles];

static int number(cpg_handle_t h)
{
	for (int i = 0; i < handles; i++)
		if (handle[i] == h)
			return i;
	return -1;
}

static void put_name(const struct cpg_name *g)
{
	if (g->length > 40) {
		printf(" %.3s...*%u", g->value, g->length);
		return;
	}
	printf(" ");
	for (uint32_t i = 0; i < g->length; i++)
		putchar(g->value[i] ? g->value[i] : '^');
}

static void deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *msg, size_t len)
{
	uint32_t hash = 2166136261u;
	const unsigned char *p = msg;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 16777619u;
	printf("%d deliver", number(h));
	put_name(g);
	printf(" %u %u %zu %u\n", node, pid, len, hash);
	told[number(h)]++;
}

static void list(const char *tag, const struct cpg_address *a, size_t n, int reason)
{
	printf(" %s=", tag);
	for (size_t i = 0; i < n; i++) {
		printf("%s%u:%u", i ? "," : "", a[i].nodeid, a[i].pid);
		if (reason)
			printf(":%u", a[i].reason);
	}
}

static void confchg(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
		    const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj)
{
	printf("%d confchg", number(h));
	put_name(g);
	list("m", m, nm, 0);
	list("l", l, nl, 1);
	list("j", j, nj, 1);
	printf("\n");
	told[number(h)]++;
}

static void ring(cpg_handle_t h, struct cpg_ring_id id, uint32_t n, const uint32_t *m)
{
	printf("%d ring %u", number(h), id.nodeid);
	for (uint32_t i = 0; i < n; i++)
		printf("%s%u", i ? "," : " ", m[i]);
	printf("\n");
	told[number(h)]++;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* wait_event dispatches one event if there is one within ms. */
static cs_error_t wait_event(int i, int ms)
{
	struct pollfd p = {.events = POLLIN};
	cs_error_t e = cpg_fd_get(handle[i], &p.fd);

	if (e == CS_OK && poll(&p, 1, ms) > 0)
		e = cpg_dispatch(handle[i], CS_DISPATCH_ONE_NONBLOCKING);
	return e;
}

static struct cpg_name parse(const char *s)
{
	struct cpg_name g = {0};
	char c;
	unsigned n;

	if (strcmp(s, "-") == 0)
		return g;
	if (sscanf(s, "%c*%u", &c, &n) == 2) {
		memset(g.value, c, n < sizeof g.value ? n : sizeof g.value);
		g.length = n;
		return g;
	}
	g.length = strlen(s);
	memcpy(g.value, s, g.length);
	if (g.length && g.value[g.length - 1] == '^')
		g.value[g.length - 1] = 0;
	return g;
}

static cs_error_t init(int i, const char *how)
{
	cpg_callbacks_t v0 = {.cpg_deliver_fn = deliver, .cpg_confchg_fn = confchg};
	cpg_model_v1_data_t v1 = {.model = CPG_MODEL_V1, .cpg_deliver_fn = deliver, .cpg_confchg_fn = confchg, .cpg_totem_confchg_fn = ring};
	cpg_model_t model = CPG_MODEL_V1;
	cs_error_t e;

	if (strcmp(how, "ring") == 0)
		v1.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
	else if (how[0] != 'v')
		model = (cpg_model_t)atoi(how);
	for (int tries = 0; tries < 200; tries++) {
		e = strcmp(how, "v0") ? cpg_model_initialize(&handle[i], model, (cpg_model_data_t *)&v1, &handle[i])
				      : cpg_initialize(&handle[i], &v0);
		if (e != CS_ERR_TRY_AGAIN)
			break;
		usleep(50000);
	}
	return e;
}

static cs_error_t mcast(int i, size_t size, unsigned type, unsigned vectors)
{
	static unsigned char salt;
	unsigned char *buf = malloc(size + 1);
	struct iovec *v = calloc(vectors ? vectors : 1, sizeof *v);
	cs_error_t e;

	for (size_t k = 0; k < size; k++)
		buf[k] = (unsigned char)(k * 7 + (k >> 12) + salt);
	salt++;
	for (unsigned k = 0; k < vectors; k++) {
		size_t from = size * k / vectors, to = size * (k + 1) / vectors;
		v[k].iov_base = buf + from, v[k].iov_len = to - from;
	}
	for (int tries = 0; (e = cpg_mcast_joined(handle[i], (cpg_guarantee_t)type, v, vectors)) == CS_ERR_TRY_AGAIN; tries++) {
		if (tries > 2000)
			break;
		usleep(1000);
	}
	free(buf), free(v);
	return e;
}

static void members(int i, struct cpg_name g)
{
	struct cpg_address a[384];
	int n = 0;
	cs_error_t e = cpg_membership_get(handle[i], &g, a, &n);

	printf("members %d %d", e, e == CS_OK ? n : 0);
	if (e == CS_OK)
		list("m", a, (size_t)n, 1);
	printf("\n");
}

static void iterate(int i, unsigned type, struct cpg_name *g)
{
	struct cpg_iteration_description_t d;
	cpg_iteration_handle_t it = 0;
	cs_error_t e = cpg_iteration_initialize(handle[i], (cpg_iteration_type_t)type, g, &it);

	printf("initialize %d\n", e);
	if (e != CS_OK)
		return;
	while (memset(&d, 0, sizeof d), (e = cpg_iteration_next(it, &d)) == CS_OK) {
		printf("next");
		put_name(&d.group);
		printf(" %u:%u\n", d.nodeid, d.pid);
	}
	printf("next %d\nnext %d\n", e, cpg_iteration_next(it, &d));
	printf("finalize %d\n", cpg_iteration_finalize(it));
	printf("finalize %d\n", cpg_iteration_finalize(it));
}

static void state(int i)
{
	cpg_flow_control_state_t flow = 9;
	unsigned self = 0;
	uint32_t size = 0;
	cs_error_t e = cpg_local_get(handle[i], &self), f = cpg_flow_control_state_get(handle[i], &flow);

	printf("local %d %u flow %d %d", e, self, f, (int)flow);
	e = cpg_max_atomic_msgsize_get(handle[i], &size);
	printf(" size %d %u\n", e, size);
}

static void context(int i)
{
	void *got = NULL;
	int fd = -1;
	cs_error_t e = cpg_context_get(handle[i], &got);

	printf("get %d %s", e, got == &handle[i] ? "as given" : got ? "other" : "null");
	e = cpg_context_set(handle[i], &fd);
	printf(" set %d", e);
	e = cpg_context_get(handle[i], &got);
	printf(" get %d %s", e, got == &fd ? "as set" : "other");
	e = cpg_fd_get(handle[i], &fd);
	printf(" fd %d %s\n", e, fd >= 0 ? "open" : "none");
}

static void zero(int i, size_t size)
{
	void *buf = NULL;
	cs_error_t e = cpg_zcb_alloc(handle[i], size, &buf);

	printf("alloc %d\n", e);
	if (e != CS_OK)
		return;
	memset(buf, 'z', size);
	printf("mcast %d\n", cpg_zcb_mcast_joined(handle[i], CPG_TYPE_AGREED, buf, size));
	printf("free %d\n", cpg_zcb_free(handle[i], buf));
}

static void events(int i, unsigned n, double seconds, int complain)
{
	double end = now() + seconds;
	cs_error_t e = CS_OK;

	told[i] = 0;
	while (told[i] < n && now() < end && (e == CS_OK || e == CS_ERR_TRY_AGAIN))
		e = wait_event(i, 20);
	if (e != CS_OK && e != CS_ERR_TRY_AGAIN)
		printf("dispatch %d\n", e);
	else if (told[i] < n && complain)
		printf("only %u events\n", told[i]);
}

static void command(const char *line)
{
	char word[16] = "", text[300] = "";
	int i = 0;
	unsigned a = 0, b = 1;
	unsigned long n = 0, size = 0;
	struct cpg_name g;

	sscanf(line, "%15s %d", word, &i);
	if (i < 0 || i >= handles)
		i = 0;
	if (sscanf(line, "init %*d %299s", text) == 1) {
		printf("init %d\n", init(i, text));
	} else if (sscanf(line, "join %*d %299s", text) == 1) {
		g = parse(text);
		printf("join %d\n", cpg_join(handle[i], &g));
	} else if (sscanf(line, "leave %*d %299s", text) == 1) {
		g = parse(text);
		printf("leave %d\n", cpg_leave(handle[i], &g));
	} else if (sscanf(line, "mcast %*d %lu %lu %u %u", &n, &size, &a, &b) >= 2) {
		for (cs_error_t e = CS_OK; n > 0 && e == CS_OK; n--)
			if ((e = mcast(i, size, a, b)) != CS_OK || n == 1)
				printf("mcast %d\n", e);
	} else if (sscanf(line, "members %*d %299s", text) == 1) {
		members(i, parse(text));
	} else if (sscanf(line, "iterate %*d %u %299s", &a, text) == 2) {
		g = parse(text);
		iterate(i, a, strcmp(text, "null") ? &g : NULL);
	} else if (sscanf(line, "next %lu", &n) == 1) {
		struct cpg_iteration_description_t d;
		printf("next %d\n", cpg_iteration_next(n, &d));
	} else if (sscanf(line, "end %lu", &n) == 1) {
		printf("finalize %d\n", cpg_iteration_finalize(n));
	} else if (strcmp(word, "state") == 0) {
		state(i);
	} else if (strcmp(word, "context") == 0) {
		context(i);
	} else if (sscanf(line, "zero %*d %lu", &size) == 1) {
		zero(i, size);
	} else if (sscanf(line, "dispatch %*d %u", &a) == 1) {
		printf("dispatch %d\n", cpg_dispatch(handle[i], (cs_dispatch_flags_t)a));
	} else if (sscanf(line, "events %*d %u", &a) == 1) {
		events(i, a, 5, 1);
	} else if (sscanf(line, "quiet %*d %u", &a) == 1) {
		events(i, -1u, a / 1e3, 0);
	} else if (strcmp(word, "finalize") == 0) {
		printf("finalize %d\n", cpg_finalize(handle[i]));
	} else if (strcmp(word, "die") == 0) {
		printf(".\n");
		fflush(stdout);
		_exit(0);
	} else {
		printf("unknown command\n");
	}
}

int main(void)
{
	char line[512];

	while (fgets(line, sizeof line, stdin)) {
		command(line);
		printf(".\n");
		fflush(stdout);
	}
	return 0;
}
