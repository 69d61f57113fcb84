/*
 * An echo service made with stock libqb, for the tests of the client.
 * usage: server NAME shm|socket; it prints "ready" and serves until it is killed.
 * Requests: 0 echo; 1 count u32 @16, size u32 @20: events, then an answer;
 * 2 no answer; 3 the server drops the connection; 4 sets the flow-control word
 * to u32 @16 for as many milliseconds as u32 @20 says, without an answer.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <qb/qbipcs.h>
#include <qb/qbloop.h>

static qb_loop_t *loop;
static qb_ipcs_service_t *service;
static char answer[1 << 20];
static char event[1 << 20];

static int32_t accept_fn(qb_ipcs_connection_t *c, uid_t u, gid_t g)
{
	return 0;
}

static void created_fn(qb_ipcs_connection_t *c)
{
}

static int32_t closed_fn(qb_ipcs_connection_t *c)
{
	return 0;
}

static void destroyed_fn(qb_ipcs_connection_t *c)
{
}

static void respond(qb_ipcs_connection_t *c, int32_t id, const void *payload, size_t size)
{
	struct qb_ipc_response_header *h = (void *)answer;

	memset(h, 0, sizeof *h);
	h->id = id;
	h->size = (int32_t)(sizeof *h + size);
	memcpy(h + 1, payload, size);
	qb_ipcs_response_send(c, answer, sizeof *h + size);
}

static void release(void *data)
{
	qb_ipcs_request_rate_limit(service, QB_IPCS_RATE_NORMAL);
}

static int32_t process_fn(qb_ipcs_connection_t *c, void *data, size_t size)
{
	struct qb_ipc_request_header *h = data;
	uint32_t arg[2] = { 0, 0 }, i, j;
	qb_loop_timer_handle timer;

	if (size >= sizeof *h + sizeof arg)
		memcpy(arg, h + 1, sizeof arg);
	switch (h->id) {
	case 0:
		respond(c, 0, h + 1, size - sizeof *h);
		break;
	case 1:
		for (i = 0; i < arg[0]; i++) {
			memset(event, 0, 32);
			((struct qb_ipc_response_header *)event)->id = 100;
			((struct qb_ipc_response_header *)event)->size = (int32_t)arg[1];
			memcpy(event + 24, &i, sizeof i);
			for (j = 32; j < arg[1]; j++)
				event[j] = (char)(i + j - 32);
			qb_ipcs_event_send(c, event, arg[1]);
		}
		respond(c, 1, "", 0);
		break;
	case 3:
		qb_ipcs_disconnect(c);
		break;
	case 4:
		qb_ipcs_request_rate_limit(service, arg[0] == 1 ? QB_IPCS_RATE_OFF : QB_IPCS_RATE_OFF_2);
		qb_loop_timer_add(loop, QB_LOOP_HIGH, (uint64_t)arg[1] * 1000000, NULL, release, &timer);
		break;
	}
	return 0;
}

static int32_t job_add(enum qb_loop_priority p, void *data, qb_loop_job_dispatch_fn fn)
{
	return qb_loop_job_add(loop, p, data, fn);
}

static int32_t dispatch_add(enum qb_loop_priority p, int32_t fd, int32_t ev, void *data, qb_ipcs_dispatch_fn_t fn)
{
	return qb_loop_poll_add(loop, p, fd, ev, data, fn);
}

static int32_t dispatch_mod(enum qb_loop_priority p, int32_t fd, int32_t ev, void *data, qb_ipcs_dispatch_fn_t fn)
{
	return qb_loop_poll_mod(loop, p, fd, ev, data, fn);
}

static int32_t dispatch_del(int32_t fd)
{
	return qb_loop_poll_del(loop, fd);
}

int main(int argc, char **argv)
{
	struct qb_ipcs_service_handlers handlers = { accept_fn, created_fn, process_fn, closed_fn, destroyed_fn };
	struct qb_ipcs_poll_handlers poll = { job_add, dispatch_add, dispatch_mod, dispatch_del };
	int32_t res;

	loop = qb_loop_create();
	service = qb_ipcs_create(argv[1], 0, argc > 2 && strcmp(argv[2], "socket") == 0 ? QB_IPC_SOCKET : QB_IPC_SHM, &handlers);
	qb_ipcs_poll_handlers_set(service, &poll);
	res = qb_ipcs_run(service);
	if (res != 0) {
		printf("run: %s\n", strerror(-res));
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	qb_loop_run(loop);
	return 0;
}
