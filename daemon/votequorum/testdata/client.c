/* A libvotequorum client for transcripts: performs its arguments one by one and
 * prints results and events. Built and run by "go test -record" only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <time.h>
#include <corosync/corotypes.h>
#include <corosync/votequorum.h>

static votequorum_handle_t h;
static votequorum_ring_id_t ring;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void quorum(votequorum_handle_t handle, uint64_t context, uint32_t quorate,
		   uint32_t n, votequorum_node_t list[])
{
	printf("event quorum %u nodes", quorate);
	for (uint32_t i = 0; i < n; i++)
		printf(" %u:%u", list[i].nodeid, list[i].state);
	printf(" context %llu\n", (unsigned long long)context);
}

static void members(votequorum_handle_t handle, uint64_t context, votequorum_ring_id_t r,
		    uint32_t n, uint32_t list[])
{
	ring = r;
	printf("event members");
	for (uint32_t i = 0; i < n; i++)
		printf(" %u", list[i]);
	printf(" context %llu\n", (unsigned long long)context);
}

static void expected(votequorum_handle_t handle, uint64_t context, uint32_t votes)
{
	printf("event expected %u context %llu\n", votes, (unsigned long long)context);
}

static void pump(double seconds)
{
	double end = now() + seconds;
	int fd;

	votequorum_fd_get(h, &fd);
	while (now() < end) {
		struct pollfd p = { fd, POLLIN, 0 };
		if (poll(&p, 1, 20) > 0 && votequorum_dispatch(h, CS_DISPATCH_ALL) != CS_OK) {
			printf("dispatch failed\n");
			exit(1);
		}
	}
}

static void info(unsigned int node)
{
	struct votequorum_info i;
	int res = votequorum_getinfo(h, node, &i);

	printf("info %u = %d", node, res);
	if (res == CS_OK)
		printf(" node %u state %u votes %u expected %u highest %u total %u quorum %u flags %u device %u '%s'",
		       i.node_id, i.node_state, i.node_votes, i.node_expected_votes, i.highest_expected,
		       i.total_votes, i.quorum, i.flags, i.qdevice_votes, i.qdevice_name);
	printf("\n");
}

static int perform(const char *what, char *arg, char *more)
{
	votequorum_ring_id_t other = ring;

	other.seq++;
	if (!strcmp(what, "track"))
		return votequorum_trackstart(h, strtoull(arg, NULL, 10), atoi(more));
	if (!strcmp(what, "untrack"))
		return votequorum_trackstop(h);
	if (!strcmp(what, "register"))
		return votequorum_qdevice_register(h, arg);
	if (!strcmp(what, "unregister"))
		return votequorum_qdevice_unregister(h, arg);
	if (!strcmp(what, "rename"))
		return votequorum_qdevice_update(h, arg, more);
	if (!strcmp(what, "poll"))
		return votequorum_qdevice_poll(h, arg, atoi(more), ring);
	if (!strcmp(what, "poll-elsewhere"))
		return votequorum_qdevice_poll(h, arg, atoi(more), other);
	if (!strcmp(what, "master-wins"))
		return votequorum_qdevice_master_wins(h, arg, atoi(more));
	if (!strcmp(what, "expected"))
		return votequorum_setexpected(h, atoi(arg));
	if (!strcmp(what, "votes"))
		return votequorum_setvotes(h, atoi(arg), atoi(more));
	printf("what is %s?\n", what);
	exit(1);
}

int main(int argc, char **argv)
{
	votequorum_callbacks_t callbacks = {
		.votequorum_quorum_notify_fn = quorum,
		.votequorum_nodelist_notify_fn = members,
		.votequorum_expectedvotes_notify_fn = expected,
	};

	if (votequorum_initialize(&h, &callbacks) != CS_OK)
		return 1;
	for (int i = 1; i < argc; i++) {
		char *what = strtok(argv[i], ":"), *arg = strtok(NULL, ","), *more = strtok(NULL, ",");

		arg = arg ? arg : "";
		more = more ? more : "";
		if (!strcmp(what, "wait")) {
			pump(atof(arg));
			continue;
		}
		if (!strcmp(what, "info"))
			info(atoi(arg));
		else
			printf("%s %s %s = %d\n", what, arg, more, perform(what, arg, more));
		fflush(stdout);
		pump(0.2);
	}
	return 0;
}
