/*
 * libapi: calls libquorum, libvotequorum and libcfg as it is told on standard
 * input and tells what they returned and notified, so that two daemons can be
 * compared. It is linked with the stock libraries only.
 *
 * Commands, one a line; the answer to each ends with a line that is just a dot.
 *   v0|v1|vq|cfg FLAGS        opens the library and starts tracking; v0 and v1 are
 *                             libquorum's models; without FLAGS it only opens; "old"
 *                             opens v0 without a model
 *   track|stop LIBRARY FLAGS  starts or stops tracking
 *   close LIBRARY
 *   quorate                   quorum_getquorate
 *   info NODE, expected N, votes NODE N
 *   register NAME, unregister NAME, rename OLD NEW, wins NAME 0|1
 *   poll NAME CAST            with the ring last told; "stale NAME CAST" with another
 *   shutdown FLAGS, reply FLAGS, local, addrs NODE, status NODE VERSION, links,
 *   kill NODE, reload, reopen
 *   quiet MS                  dispatches for so long
 *   context LIBRARY           sets and gets it
 *   wait LIBRARY MS           polls the library's descriptor
 *   dispatch LIBRARY TYPE     one 1, all 2, one without waiting 4
 *
 * Notifications:
 *   v0 quorate Q VIEW           v1 quorate Q REP VIEW
 *   v1 nodes REP MEMBERS j=JOINED l=LEFT
 *   vq quorate Q NODE:STATE,... vq nodes REP MEMBERS      vq expected N
 *   cfg shutdown FLAGS
 */
#include <arpa/inet.h>
#include <corosync/cfg.h>
#include <corosync/quorum.h>
#include <corosync/votequorum.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static quorum_handle_t v0, v1;
static votequorum_handle_t vq;
static corosync_cfg_handle_t cfg;
static votequorum_ring_id_t told;

static void list(const char *tag, uint32_t n, const uint32_t *l)
{
	printf(" %s", tag);
	for (uint32_t i = 0; i < n; i++)
		printf("%s%u", i ? "," : "", l[i]);
}

static void v0_quorate(quorum_handle_t h, uint32_t q, uint64_t seq, uint32_t n, uint32_t *l)
{
	(void)h;
	printf("v0 quorate %u %s", q, seq ? "ring" : "no ring");
	list("", n, l);
	printf("\n");
}

static void v1_quorate(quorum_handle_t h, uint32_t q, struct quorum_ring_id r, uint32_t n, const uint32_t *l)
{
	(void)h;
	printf("v1 quorate %u %u", q, r.nodeid);
	list("", n, l);
	printf("\n");
}

static void v1_nodes(quorum_handle_t h, struct quorum_ring_id r, uint32_t nm, const uint32_t *m, uint32_t nj,
		     const uint32_t *j, uint32_t nl, const uint32_t *l)
{
	(void)h;
	printf("v1 nodes %u", r.nodeid);
	list("", nm, m);
	list("j=", nj, j);
	list("l=", nl, l);
	printf("\n");
}

static void vq_quorate(votequorum_handle_t h, uint64_t context, uint32_t q, uint32_t n, votequorum_node_t l[])
{
	(void)h;
	printf("vq quorate %u context %llu ", q, (unsigned long long)context);
	for (uint32_t i = 0; i < n; i++)
		if (l[i].nodeid)
			printf("%s%u:%u", i ? "," : "", l[i].nodeid, l[i].state);
		else
			printf(",device"); /* its state is never set */
	printf("\n");
}

static void vq_nodes(votequorum_handle_t h, uint64_t context, votequorum_ring_id_t r, uint32_t n, uint32_t l[])
{
	(void)h, (void)context;
	told = r;
	printf("vq nodes %u", r.nodeid);
	list("", n, l);
	printf("\n");
}

static void vq_expected(votequorum_handle_t h, uint64_t context, uint32_t n)
{
	(void)h, (void)context;
	printf("vq expected %u\n", n);
}

static void cfg_shutdown(corosync_cfg_handle_t h, corosync_cfg_shutdown_flags_t f)
{
	(void)h;
	printf("cfg shutdown %d\n", (int)f);
}

static void open_library(const char *name)
{
	quorum_model_v0_data_t m0 = {.model = QUORUM_MODEL_V0, .quorum_notify_fn = v0_quorate};
	quorum_model_v1_data_t m1 = {.model = QUORUM_MODEL_V1, .quorum_notify_fn = v1_quorate, .nodelist_notify_fn = v1_nodes};
	votequorum_callbacks_t c = {vq_quorate, vq_expected, vq_nodes};
	corosync_cfg_callbacks_t cc = {cfg_shutdown};
	uint32_t type = 9;
	quorum_callbacks_t qc = {v0_quorate};
	cs_error_t e;

	if (strcmp(name, "old") == 0)
		e = quorum_initialize(&v0, &qc, &type);
	else if (strcmp(name, "v0") == 0)
		e = quorum_model_initialize(&v0, QUORUM_MODEL_V0, (quorum_model_data_t *)&m0, &type, NULL);
	else if (strcmp(name, "v1") == 0)
		e = quorum_model_initialize(&v1, QUORUM_MODEL_V1, (quorum_model_data_t *)&m1, &type, NULL);
	else if (strcmp(name, "vq") == 0)
		e = votequorum_initialize(&vq, &c);
	else
		e = corosync_cfg_initialize(&cfg, &cc);
	printf("open %d type %u\n", e, type);
}

static void track(const char *name, unsigned flags)
{
	cs_error_t e = strcmp(name, "v0") == 0 ? quorum_trackstart(v0, flags)
		       : strcmp(name, "v1") == 0 ? quorum_trackstart(v1, flags)
		       : strcmp(name, "vq") == 0 ? votequorum_trackstart(vq, 7, flags)
						 : corosync_cfg_trackstart(cfg, (uint8_t)flags);
	printf("track %d\n", e);
}

static void stop(const char *name)
{
	cs_error_t e = strcmp(name, "v0") == 0 ? quorum_trackstop(v0)
		       : strcmp(name, "v1") == 0 ? quorum_trackstop(v1)
		       : strcmp(name, "vq") == 0 ? votequorum_trackstop(vq)
						 : corosync_cfg_trackstop(cfg);
	printf("stop %d\n", e);
}

static void close_library(const char *name)
{
	cs_error_t e = strcmp(name, "v0") == 0 ? quorum_finalize(v0)
		       : strcmp(name, "v1") == 0 ? quorum_finalize(v1)
		       : strcmp(name, "vq") == 0 ? votequorum_finalize(vq)
						 : corosync_cfg_finalize(cfg);
	printf("close %d\n", e);
}

static void context(const char *name)
{
	void *got = NULL;
	cs_error_t set, get;

	if (strcmp(name, "vq") == 0)
		set = votequorum_context_set(vq, &told), get = votequorum_context_get(vq, &got);
	else
		set = quorum_context_set(name[1] == '0' ? v0 : v1, &told),
		get = quorum_context_get(name[1] == '0' ? v0 : v1, (const void **)&got);
	printf("context %d %d %s\n", set, get, got == &told ? "the same" : "another");
}

static void await(const char *name, int ms)
{
	struct pollfd p = {.fd = -1, .events = POLLIN};
	cs_error_t e = strcmp(name, "v0") == 0 ? quorum_fd_get(v0, &p.fd)
		       : strcmp(name, "v1") == 0 ? quorum_fd_get(v1, &p.fd)
		       : strcmp(name, "vq") == 0 ? votequorum_fd_get(vq, &p.fd)
						 : corosync_cfg_fd_get(cfg, &p.fd);
	printf("wait %d ready %d\n", e, e == CS_OK ? poll(&p, 1, ms) : 0);
}

static void dispatch(const char *name, unsigned type)
{
	cs_dispatch_flags_t t = (cs_dispatch_flags_t)type;
	cs_error_t e = strcmp(name, "v0") == 0 ? quorum_dispatch(v0, t)
		       : strcmp(name, "v1") == 0 ? quorum_dispatch(v1, t)
		       : strcmp(name, "vq") == 0 ? votequorum_dispatch(vq, t)
						 : corosync_cfg_dispatch(cfg, t);
	printf("dispatch %d\n", e);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void quiet(unsigned ms)
{
	for (double end = now() + ms / 1e3; now() < end; usleep(5000)) {
		if (v0)
			quorum_dispatch(v0, CS_DISPATCH_ALL);
		if (v1)
			quorum_dispatch(v1, CS_DISPATCH_ALL);
		if (vq)
			votequorum_dispatch(vq, CS_DISPATCH_ALL);
		if (cfg)
			corosync_cfg_dispatch(cfg, CS_DISPATCH_ALL);
	}
}

static void info(unsigned node)
{
	struct votequorum_info i;
	cs_error_t e = votequorum_getinfo(vq, node, &i);

	printf("info %d", e);
	if (e == CS_OK)
		printf(" node %u state %u votes %u expected %u highest %u total %u quorum %u flags %#x device %u \"%s\"", i.node_id,
		       i.node_state, i.node_votes, i.node_expected_votes, i.highest_expected, i.total_votes, i.quorum, i.flags,
		       i.qdevice_votes, i.qdevice_name);
	printf("\n");
}

static void links(void)
{
	char **names, **states;
	unsigned n = 0;
	cs_error_t e = corosync_cfg_ring_status_get(cfg, &names, &states, &n);

	printf("links %d", e);
	for (unsigned i = 0; e == CS_OK && i < n; i++)
		printf(" [%s|%s]", names[i], states[i]);
	printf("\n");
}

static void status(unsigned node, unsigned version)
{
	struct corosync_cfg_node_status_v1 s;
	cs_error_t e = corosync_cfg_node_status_get(cfg, node, (corosync_cfg_node_status_version_t)version, &s);

	printf("status %d", e);
	if (e == CS_OK) {
		printf(" node %u reachable %u onwire %u-%u:%u", s.nodeid, s.reachable, s.onwire_min, s.onwire_max, s.onwire_ver);
		for (int i = 0; i < CFG_MAX_LINKS; i++)
			printf(" [%u%u mtu %u %s>%s]", s.link_status[i].enabled, s.link_status[i].connected, s.link_status[i].mtu,
			       s.link_status[i].src_ipaddr, s.link_status[i].dst_ipaddr);
	}
	printf("\n");
}

static void addresses(unsigned node)
{
	corosync_cfg_node_address_t addrs[8];
	char text[INET6_ADDRSTRLEN];
	int n = 0;
	cs_error_t e = corosync_cfg_get_node_addrs(cfg, node, 8, &n, addrs);

	printf("addrs %d", e);
	for (int i = 0; e == CS_OK && i < n; i++) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)addrs[i].address;
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)addrs[i].address;
		const void *a = v4->sin_family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr;
		printf(" %d %s", addrs[i].address_length, inet_ntop(v4->sin_family, a, text, sizeof text));
	}
	printf("\n");
}

static void command(const char *line)
{
	char word[20] = "", name[300] = "", other[300] = "";
	unsigned a = 0, b = 0;
	int n = 0;
	votequorum_ring_id_t stale = told;

	stale.seq++;
	sscanf(line, "%19s %299s %299s", word, name, other);
	a = (unsigned)atoi(name), b = (unsigned)atoi(other);
	if (strcmp(word, "old") == 0 || strcmp(word, "v0") == 0 || strcmp(word, "v1") == 0 || strcmp(word, "vq") == 0 || strcmp(word, "cfg") == 0) {
		open_library(word);
		if (*name)
			track(strcmp(word, "old") ? word : "v0", a);
	} else if (strcmp(word, "track") == 0) {
		track(name, b);
	} else if (strcmp(word, "stop") == 0) {
		stop(name);
	} else if (strcmp(word, "close") == 0) {
		close_library(name);
	} else if (strcmp(word, "quorate") == 0) {
		int e = quorum_getquorate(v1 ? v1 : v0, &n);
		printf("quorate %d %d\n", e, n);
	} else if (strcmp(word, "info") == 0) {
		info(a);
	} else if (strcmp(word, "expected") == 0) {
		printf("expected %d\n", votequorum_setexpected(vq, a));
	} else if (strcmp(word, "votes") == 0) {
		printf("votes %d\n", votequorum_setvotes(vq, a, b));
	} else if (strcmp(word, "register") == 0) {
		printf("register %d\n", votequorum_qdevice_register(vq, name));
	} else if (strcmp(word, "unregister") == 0) {
		printf("unregister %d\n", votequorum_qdevice_unregister(vq, name));
	} else if (strcmp(word, "rename") == 0) {
		printf("rename %d\n", votequorum_qdevice_update(vq, name, other));
	} else if (strcmp(word, "wins") == 0) {
		printf("wins %d\n", votequorum_qdevice_master_wins(vq, name, b));
	} else if (strcmp(word, "poll") == 0) {
		printf("poll %d\n", votequorum_qdevice_poll(vq, name, b, told));
	} else if (strcmp(word, "stale") == 0) {
		printf("poll %d\n", votequorum_qdevice_poll(vq, name, b, stale));
	} else if (strcmp(word, "shutdown") == 0) {
		printf("shutdown %d\n", corosync_cfg_try_shutdown(cfg, (corosync_cfg_shutdown_flags_t)a));
	} else if (strcmp(word, "reply") == 0) {
		printf("reply %d\n", corosync_cfg_replyto_shutdown(cfg, (corosync_cfg_shutdown_reply_flags_t)a));
	} else if (strcmp(word, "local") == 0) {
		printf("local %d %u\n", corosync_cfg_local_get(cfg, &b), b);
	} else if (strcmp(word, "addrs") == 0) {
		addresses(a);
	} else if (strcmp(word, "status") == 0) {
		status(a, b);
	} else if (strcmp(word, "links") == 0) {
		links();
	} else if (strcmp(word, "kill") == 0) {
		printf("kill %d\n", corosync_cfg_kill_node(cfg, a, "told to"));
	} else if (strcmp(word, "reload") == 0) {
		printf("reload %d\n", corosync_cfg_reload_config(cfg));
	} else if (strcmp(word, "reopen") == 0) {
		printf("reopen %d\n", corosync_cfg_reopen_log_files(cfg));
	} else if (strcmp(word, "context") == 0) {
		context(name);
	} else if (strcmp(word, "wait") == 0) {
		await(name, (int)b);
	} else if (strcmp(word, "dispatch") == 0) {
		dispatch(name, b);
	} else if (strcmp(word, "quiet") == 0) {
		quiet(a);
	} else {
		printf("unknown command\n");
	}
}

int main(void)
{
	char line[800];

	while (fgets(line, sizeof line, stdin)) {
		command(line);
		printf(".\n");
		fflush(stdout);
	}
	return 0;
}
