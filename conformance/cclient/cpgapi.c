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
 *   once H SIZE               cpg_mcast_joined, without trying again
 *   hurry H                   cpg_initialize until it succeeds; what it returned once
 *                             there was somebody to connect to
 *   members H NAME            cpg_membership_get
 *   iterate H TYPE NAME       all of an iteration, then once more after its end
 *   next N, end N             cpg_iteration_next, _finalize with a bogus handle
 *   state H                   local node, flow control, largest atomic message
 *   context H                 cpg_context_set and _get, cpg_fd_get
 *   zero H SIZE               cpg_zcb_alloc, _mcast_joined, _free
 *   zalloc H N SIZE           cpg_zcb_alloc of buffer number N, 0 to 63
 *   zmcast H N LENGTH         cpg_zcb_mcast_joined from it
 *   zfree H N                 cpg_zcb_free of it
 *   crowd N NAME              N more processes join a group and stay, tell nothing
 *   disperse                  until now
 *   skip H N                  events, but only the last is told
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
 * Of a list of more than 20 processes only the number is told.
 */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { handles = 8 };
static cpg_handle_t handle[handles];
static unsigned told[handles];
static unsigned mute; /* events that are counted and not told */
static void *buffer[64];
static pid_t crowd[256];
static unsigned crowded;

/* heard counts an event and says whether to tell it. */
static int heard(int i)
{
	told[i]++;
	if (mute == 0)
		return 1;
	mute--;
	return 0;
}

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

	if (!heard(number(h)))
		return;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 16777619u;
	printf("%d deliver", number(h));
	put_name(g);
	printf(" %u %u %zu %u\n", node, pid, len, hash);
}

static void list(const char *tag, const struct cpg_address *a, size_t n, int reason)
{
	printf(" %s=", tag);
	if (n > 20) {
		printf("*%zu", n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		printf("%s%u:%u", i ? "," : "", a[i].nodeid, a[i].pid);
		if (reason)
			printf(":%u", a[i].reason);
	}
}

static void confchg(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
		    const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj)
{
	if (!heard(number(h)))
		return;
	printf("%d confchg", number(h));
	put_name(g);
	list("m", m, nm, 0);
	list("l", l, nl, 1);
	list("j", j, nj, 1);
	printf("\n");
}

static void ring(cpg_handle_t h, struct cpg_ring_id id, uint32_t n, const uint32_t *m)
{
	if (!heard(number(h)))
		return;
	printf("%d ring %u", number(h), id.nodeid);
	for (uint32_t i = 0; i < n; i++)
		printf("%s%u", i ? "," : " ", m[i]);
	printf("\n");
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

static unsigned char salt;

static void fill(unsigned char *buf, size_t size)
{
	for (size_t k = 0; k < size; k++)
		buf[k] = (unsigned char)(k * 7 + (k >> 12) + salt);
	salt++;
}

static cs_error_t mcast(int i, size_t size, unsigned type, unsigned vectors)
{
	unsigned char *buf = malloc(size + 1);
	struct iovec *v = calloc(vectors ? vectors : 1, sizeof *v);
	cs_error_t e;

	fill(buf, size);
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
		list("m", a, (size_t)n, 0); /* the daemon leaves the reasons as they were */
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

static cs_error_t once(int i, size_t size)
{
	struct iovec v = {.iov_base = calloc(1, size + 1), .iov_len = size};
	cs_error_t e = cpg_mcast_joined(handle[i], CPG_TYPE_AGREED, &v, 1);

	free(v.iov_base);
	return e;
}

static void hurry(int i)
{
	cpg_callbacks_t none = {.cpg_confchg_fn = confchg};
	cs_error_t e = CS_ERR_LIBRARY, last = CS_ERR_LIBRARY;
	double end = now() + 10;

	printf("hurry");
	for (; e != CS_OK && now() < end; usleep(1000)) {
		e = cpg_initialize(&handle[i], &none);
		if (e != last && e != CS_ERR_LIBRARY)
			printf(" %d", e);
		last = e;
	}
	printf("\n");
}

static cs_error_t zmcast(int i, void *buf, size_t size)
{
	cs_error_t e;

	fill(buf, size);
	for (int tries = 0; (e = cpg_zcb_mcast_joined(handle[i], CPG_TYPE_AGREED, buf, size)) == CS_ERR_TRY_AGAIN; tries++) {
		if (tries > 2000)
			break;
		usleep(1000);
	}
	return e;
}

/* member joins as another process, says how that went, and stays. */
static void member(const struct cpg_name *g, int report)
{
	cpg_callbacks_t none = {0};
	cpg_handle_t h;
	cs_error_t e;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((e = cpg_initialize(&h, &none)) == CS_ERR_TRY_AGAIN)
		usleep(10000);
	if (e == CS_OK)
		while ((e = cpg_join(h, g)) == CS_ERR_TRY_AGAIN)
			usleep(10000);
	if (write(report, &e, sizeof e) == sizeof e)
		for (;;)
			pause();
	_exit(1);
}

static void gather(unsigned n, const struct cpg_name *g)
{
	cs_error_t e = CS_OK;

	for (; n > 0 && e == CS_OK && crowded < 256; n--) {
		int p[2];

		if (pipe(p) != 0)
			break;
		crowd[crowded] = fork();
		if (crowd[crowded] == 0)
			member(g, p[1]);
		crowded++;
		close(p[1]);
		if (read(p[0], &e, sizeof e) != sizeof e)
			e = CS_ERR_LIBRARY;
		close(p[0]);
	}
	printf("crowd %u %d\n", crowded, e);
}

static void disperse(void)
{
	for (; crowded > 0; crowded--) {
		kill(crowd[crowded - 1], SIGKILL);
		waitpid(crowd[crowded - 1], NULL, 0);
	}
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
	} else if (sscanf(line, "once %*d %lu", &size) == 1) {
		printf("mcast %d\n", once(i, size));
	} else if (strcmp(word, "hurry") == 0) {
		hurry(i);
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
	} else if (sscanf(line, "zalloc %*d %u %lu", &a, &size) == 2 && a < 64) {
		printf("alloc %d\n", cpg_zcb_alloc(handle[i], size, &buffer[a]));
	} else if (sscanf(line, "zmcast %*d %u %lu", &a, &size) == 2 && a < 64) {
		printf("mcast %d\n", zmcast(i, buffer[a], size));
	} else if (sscanf(line, "zfree %*d %u", &a) == 1 && a < 64) {
		printf("free %d\n", cpg_zcb_free(handle[i], buffer[a]));
	} else if (sscanf(line, "crowd %u %299s", &a, text) == 2) {
		g = parse(text);
		gather(a, &g);
	} else if (strcmp(word, "disperse") == 0) {
		disperse();
	} else if (sscanf(line, "skip %*d %u", &a) == 1) {
		mute = a - 1;
		events(i, a, 10, 1);
		mute = 0;
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
