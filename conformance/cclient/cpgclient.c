/*
 * cpgclient: an ordinary client of stock libcpg, driven from standard input and
 * telling on standard output what it was told. It is linked with the stock
 * library only, so what it shows is what any unmodified program would see.
 *
 *   cpgclient GROUP
 *
 * Commands, one a line:
 *   send COUNT SIZE    multicast COUNT messages of SIZE bytes; byte k of the i-th
 *                      message of this process is (i*31 + k*7) & 255
 *   quit               leave the group and end
 *
 * Output, one line an event:
 *   joined NODE PID
 *   confchg m=NODE:PID,... l=NODE:PID:REASON,... j=NODE:PID:REASON,...
 *   ring REP.SEQ NODE,...
 *   deliver NODE PID LEN FNV1A
 *   sent COUNT
 *   error WHAT CODE
 */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t fnv1a(const unsigned char *p, size_t n)
{
	uint32_t h = 2166136261u;
	while (n--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

static void deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *msg, size_t len)
{
	(void)h, (void)g;
	printf("deliver %u %u %zu %u\n", node, pid, len, fnv1a(msg, len));
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
	(void)h, (void)g;
	printf("confchg");
	list("m", m, nm, 0);
	list("l", l, nl, 1);
	list("j", j, nj, 1);
	printf("\n");
}

static void ring(cpg_handle_t h, struct cpg_ring_id id, uint32_t n, const uint32_t *m)
{
	(void)h;
	printf("ring %u.%llu ", id.nodeid, (unsigned long long)id.seq);
	for (uint32_t i = 0; i < n; i++)
		printf("%s%u", i ? "," : "", m[i]);
	printf("\n");
}

static int fail(const char *what, cs_error_t e)
{
	printf("error %s %d\n", what, (int)e);
	fflush(stdout);
	return 1;
}

static int send_all(cpg_handle_t h, unsigned long count, size_t size)
{
	static unsigned long sent;
	unsigned char *buf = malloc(size ? size : 1);
	unsigned long done = 0, tries = 0;

	while (done < count) {
		for (size_t k = 0; k < size; k++)
			buf[k] = (unsigned char)(sent * 31 + k * 7);
		struct iovec v = {.iov_base = buf, .iov_len = size};
		cs_error_t e = cpg_mcast_joined(h, CPG_TYPE_AGREED, &v, 1);
		if (e == CS_OK) {
			done++, sent++, tries = 0;
		} else if (e == CS_ERR_TRY_AGAIN && tries++ < 60000) {
			cpg_dispatch(h, CS_DISPATCH_ALL);
			usleep(500);
		} else {
			free(buf);
			return fail("mcast", e);
		}
		if (done % 16 == 0)
			cpg_dispatch(h, CS_DISPATCH_ALL);
	}
	free(buf);
	printf("sent %lu\n", done);
	return 0;
}

static int command(cpg_handle_t h, const struct cpg_name *g, char *line)
{
	unsigned long count, size;

	if (sscanf(line, "send %lu %lu", &count, &size) == 2)
		return send_all(h, count, size);
	if (strncmp(line, "quit", 4) == 0) {
		cpg_leave(h, g);
		cpg_finalize(h);
		return 2;
	}
	return fail("command", 0);
}

int main(int argc, char **argv)
{
	cpg_model_v1_data_t model = {
		.model = CPG_MODEL_V1, .cpg_deliver_fn = deliver, .cpg_confchg_fn = confchg,
		.cpg_totem_confchg_fn = ring, .flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF};
	struct cpg_name g;
	cpg_handle_t h;
	cs_error_t e;
	uint32_t self;
	int fd, tries = 0;
	static char in[4096];
	size_t have = 0;

	if (argc != 2 || strlen(argv[1]) > CPG_MAX_NAME_LENGTH)
		return fail("usage", 0);
	g.length = strlen(argv[1]);
	memcpy(g.value, argv[1], g.length);
	while ((e = cpg_model_initialize(&h, CPG_MODEL_V1, (cpg_model_data_t *)&model, NULL)) != CS_OK)
		if (tries++ > 600)
			return fail("initialize", e);
		else
			usleep(50000);
	while ((e = cpg_join(h, &g)) == CS_ERR_TRY_AGAIN && tries++ < 1200)
		usleep(50000);
	if (e != CS_OK)
		return fail("join", e);
	if ((e = cpg_local_get(h, &self)) != CS_OK || (e = cpg_fd_get(h, &fd)) != CS_OK)
		return fail("local_get", e);
	printf("joined %u %d\n", self, (int)getpid());
	for (;;) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
		fflush(stdout);
		if (poll(p, 2, -1) < 0)
			return fail("poll", 0);
		if (p[0].revents && (e = cpg_dispatch(h, CS_DISPATCH_ALL)) != CS_OK)
			return fail("dispatch", e);
		if (!p[1].revents)
			continue;
		ssize_t n = read(0, in + have, sizeof in - 1 - have);
		if (n <= 0)
			return 0;
		have += (size_t)n;
		for (char *nl; (nl = memchr(in, '\n', have));) {
			*nl = 0;
			int r = command(h, &g, in);
			fflush(stdout);
			if (r)
				return r - 1 > 0 ? 0 : r;
			have -= (size_t)(nl + 1 - in);
			memmove(in, nl + 1, have);
		}
	}
}
