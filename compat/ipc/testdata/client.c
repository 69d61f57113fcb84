/*
 * A client of the tests' echo service, made with stock libqb.
 * usage: client NAME MODE [ARG...]; it prints what went wrong and exits with 1.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <qb/qbipcc.h>

enum { REQ_ECHO, REQ_EVENTS, REQ_ASYNC, REQ_CLOSE, REQ_FLOOD };

#define MAX (1024 * 1024)

static char buf[MAX];
static qb_ipcc_connection_t *c;

static void die(const char *what, long res)
{
	printf("%s: %ld (%s)\n", what, res, res < 0 ? strerror(-res) : "");
	exit(1);
}

static void pause_us(long us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };
	nanosleep(&ts, NULL);
}

static void dial(const char *name, size_t max)
{
	c = qb_ipcc_connect(name, max);
	if (c == NULL) {
		printf("refused: %d\n", errno);
		exit(2);
	}
}

/* one request with a payload, answered with the same payload */
static void echo(uint32_t size, unsigned char seed)
{
	struct qb_ipc_request_header req = { .id = REQ_ECHO, .size = (int32_t)(sizeof req + size) };
	struct qb_ipc_response_header *res = (void *)buf;
	static unsigned char payload[MAX];
	struct iovec iov[2] = { { &req, sizeof req }, { payload, size } };
	uint32_t i;
	ssize_t n;

	for (i = 0; i < size; i++)
		payload[i] = (unsigned char)(seed + i);
	n = qb_ipcc_sendv_recv(c, iov, 2, buf, sizeof buf, -1);
	if (n != (ssize_t)(sizeof *res + size))
		die("echo", n);
	if (res->id != REQ_ECHO || res->size != n || memcmp(res + 1, payload, size) != 0)
		die("echo: wrong answer", res->id);
}

static void ask(int32_t id, uint32_t count, uint32_t size, int answered)
{
	struct { struct qb_ipc_request_header h; uint32_t count, size; } req =
		{ { .id = id, .size = sizeof req }, count, size };
	struct iovec iov = { &req, sizeof req };
	struct qb_ipc_response_header res;
	ssize_t n;

	if (answered)
		n = qb_ipcc_sendv_recv(c, &iov, 1, &res, sizeof res, -1);
	else	/* over sockets there is room for a few hundred only, or for ten */
		while ((n = qb_ipcc_send(c, &req, sizeof req)) == -EAGAIN)
			pause_us(100);
	if (n < 0)
		die("ask", n);
}

/* takes COUNT events, DELAY microseconds apart, as the libraries' dispatch does */
static void events(uint32_t count, uint32_t size, long delay)
{
	uint32_t i, j, number;
	ssize_t n;

	for (i = 0; i < count; i++) {
		n = qb_ipcc_event_recv(c, buf, sizeof buf, 20000);
		if (n != (ssize_t)size)
			die("event", n);
		memcpy(&number, buf + 24, sizeof number);
		if (number != i)
			die("event: wrong number", number);
		for (j = 32; j < size; j++)
			if ((unsigned char)buf[j] != (unsigned char)(i + j - 32))
				die("event: wrong byte", j);
		if (delay > 0)
			pause_us(delay);
	}
	n = qb_ipcc_event_recv(c, buf, sizeof buf, 20);
	if (n != -EAGAIN)
		die("event after the last one", n);
}

static long arg(int argc, char **argv, int i)
{
	return i < argc ? strtol(argv[i], NULL, 0) : 0;
}

int main(int argc, char **argv)
{
	const char *name = argv[1], *mode = argv[2];
	long a = arg(argc, argv, 3), b = arg(argc, argv, 4), d = arg(argc, argv, 5);
	long i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(mode, "connect") == 0) {		/* wanted size */
		dial(name, (size_t)a);
		printf("max %d\n", qb_ipcc_get_buffer_size(c));
	} else if (strcmp(mode, "echo") == 0) {		/* rounds, size */
		dial(name, MAX);
		for (i = 0; a == 0 || i < a; i++)
			echo((uint32_t)b, (unsigned char)i);
	} else if (strcmp(mode, "events") == 0) {	/* count, size, delay */
		dial(name, MAX);
		ask(REQ_EVENTS, (uint32_t)a, (uint32_t)b, 1);
		pause_us(d > 0 ? 100000 : 0);
		events((uint32_t)a, (uint32_t)b, d);
		echo(100, 7);
	} else if (strcmp(mode, "prompt") == 0) {	/* rounds: an event before its answer is there */
		dial(name, MAX);
		for (i = 0; i < a; i++) {
			ask(REQ_EVENTS, 1, 64, 1);
			if (qb_ipcc_event_recv(c, buf, sizeof buf, 0) != 64)
				die("no event behind the answer of round", i);
		}
	} else if (strcmp(mode, "async") == 0) {	/* count: then exit at once */
		dial(name, MAX);
		for (i = 0; i < a; i++)
			ask(REQ_ASYNC, 0, 0, 0);
		_exit(0);
	} else if (strcmp(mode, "flow") == 0) {		/* word 1 refuses, word 2 lets through */
		int32_t res;
		dial(name, MAX);
		echo(1, 1);
		printf("ready\n");
		while ((res = (int32_t)qb_ipcc_send(c, &(struct qb_ipc_request_header){ .id = REQ_ASYNC, .size = 16 }, 16)) == 16)
			pause_us(1000);
		printf("send %d\n", res);
		if (res != -EAGAIN)
			return 1;
		qb_ipcc_fc_enable_max_set(c, 1);
		do {
			pause_us(1000);
			res = (int32_t)qb_ipcc_send(c, &(struct qb_ipc_request_header){ .id = REQ_ASYNC, .size = 16 }, 16);
		} while (res == -EAGAIN);
		printf("again %d\n", res);
		echo(1, 2);
	} else if (strcmp(mode, "closed") == 0) {	/* the server hangs up */
		dial(name, MAX);
		ask(REQ_CLOSE, 0, 0, 0);
		printf("event %zd\n", qb_ipcc_event_recv(c, buf, sizeof buf, -1));
		printf("send %zd\n", qb_ipcc_send(c, &(struct qb_ipc_request_header){ .id = REQ_ASYNC, .size = 16 }, 16));
	} else if (strcmp(mode, "flood") == 0) {	/* asks for events and does not read */
		dial(name, MAX);
		ask(REQ_FLOOD, (uint32_t)a, (uint32_t)b, 0);
		printf("ready\n");
		pause();
	} else if (strcmp(mode, "churn") == 0) {	/* connects and disconnects */
		for (i = 0; i < a; i++) {
			dial(name, MAX);
			echo(10, (unsigned char)i);
			qb_ipcc_disconnect(c);
		}
		return 0;
	} else {
		printf("no mode %s\n", mode);
		return 1;
	}
	qb_ipcc_disconnect(c);
	return 0;
}
