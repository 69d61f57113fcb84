/*
 * sam: calls libsam as it is told on standard input and tells what it returned,
 * so that two daemons can be compared. It is linked with the stock libraries only.
 *
 * sam_register forks: the parent watches, the child goes on reading commands. If
 * the parent starts another child, that one tells of its own registration, which is
 * then the answer to the command that ended the child before it.
 *
 * Commands, one a line; the answer to each ends with a line that is just a dot.
 *   init MS POLICY          1 quit, 2 restart, with 8 for quorum and 16 for cmap added
 *   register, start, stop, hc, mark, finalize
 *   callback RESULT         of the health check that is registered; - for none
 *   store TEXT              - for nothing
 *   size, restore SIZE
 *   warn SIGNAL             the signal that warns; "heed" lets the program live through it
 *   end STATUS              exits; "hang" does nothing for ever
 *   pulse MS                hc every 20 ms for so long
 *   keys                    what the map has below resources.process.; clear deletes it
 *   quiet MS
 */
#include <corosync/cmap.h>
#include <corosync/sam.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int health;
static volatile sig_atomic_t warnings, checks;

static int check(void)
{
	checks++;
	return health;
}

static void warned(int s)
{
	(void)s;
	warnings++;
}

/* uptime is libsam's clock. */
static uint64_t uptime(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void keys(int clear)
{
	char key[CMAP_KEYNAME_MAXLEN + 1], *text;
	cmap_handle_t h;
	cmap_iter_handle_t it;
	cmap_value_types_t type;
	size_t len;
	uint64_t n;

	if (cmap_initialize(&h) != CS_OK || cmap_iter_init(h, "resources.process.", &it) != CS_OK) {
		printf("no map\n");
		return;
	}
	while (cmap_iter_next(h, it, key, &len, &type) == CS_OK) {
		if (clear) {
			cmap_delete(h, key);
		} else if (type == CMAP_VALUETYPE_STRING && cmap_get_string(h, key, &text) == CS_OK) {
			printf("%s %s\n", key, text);
			free(text);
		} else if (cmap_get_uint64(h, key, &n) == CS_OK && strstr(key, "last_updated")) {
			printf("%s %s\n", key, uptime() - n < 10000000000u ? "of late" : "long ago");
		} else {
			printf("%s type %d %llu\n", key, (int)type, (unsigned long long)n);
		}
	}
	cmap_finalize(h);
}

static void put(const char *word, cs_error_t e)
{
	printf("%s %d\n", word, (int)e);
}

static void restore(size_t room)
{
	char data[5000] = {0};
	cs_error_t e = sam_data_restore(data, room);

	printf("restore %d %s\n", (int)e, data);
}

static void command(const char *line)
{
	char word[16] = "", text[4000] = "";
	int a = 0, b = 0;
	unsigned instance = 0;
	size_t size = 0;
	cs_error_t e;

	sscanf(line, "%15s %3999s %d", word, text, &b);
	a = atoi(text);
	if (strcmp(word, "init") == 0) {
		put(word, sam_initialize(a, (sam_recovery_policy_t)b));
	} else if (strcmp(word, "register") == 0) {
		e = sam_register(&instance);
		printf("register %d instance %u\n", (int)e, instance);
	} else if (strcmp(word, "start") == 0) {
		put(word, sam_start());
	} else if (strcmp(word, "stop") == 0) {
		put(word, sam_stop());
	} else if (strcmp(word, "hc") == 0) {
		put(word, sam_hc_send());
	} else if (strcmp(word, "mark") == 0) {
		put(word, sam_mark_failed());
	} else if (strcmp(word, "finalize") == 0) {
		put(word, sam_finalize());
	} else if (strcmp(word, "callback") == 0) {
		health = a;
		put(word, sam_hc_callback_register(strcmp(text, "-") ? check : NULL));
	} else if (strcmp(word, "store") == 0) {
		put(word, strcmp(text, "-") ? sam_data_store(text, strlen(text)) : sam_data_store(NULL, 5));
	} else if (strcmp(word, "size") == 0) {
		e = sam_data_getsize(&size);
		printf("size %d %zu\n", (int)e, size);
	} else if (strcmp(word, "restore") == 0) {
		restore((size_t)a);
	} else if (strcmp(word, "warn") == 0) {
		put(word, sam_warn_signal_set(a));
	} else if (strcmp(word, "heed") == 0) {
		signal(a, warned);
	} else if (strcmp(word, "end") == 0) {
		exit(a);
	} else if (strcmp(word, "hang") == 0) {
		for (;;)
			pause();
	} else if (strcmp(word, "pulse") == 0) {
		for (e = CS_OK; a > 0 && e == CS_OK; a -= 20, usleep(20000))
			e = sam_hc_send();
		printf("pulse %d warned %s checked %s\n", (int)e, warnings ? "yes" : "no", checks ? "yes" : "no");
	} else if (strcmp(word, "quiet") == 0) {
		usleep((useconds_t)a * 1000);
		printf("warned %s checked %s\n", warnings ? "yes" : "no", checks ? "yes" : "no");
	} else if (strcmp(word, "keys") == 0 || strcmp(word, "clear") == 0) {
		keys(word[0] == 'c');
	} else {
		printf("unknown command\n");
	}
}

int main(void)
{
	char line[5000];

	setvbuf(stdin, NULL, _IONBF, 0); /* children go on where their parents read */
	while (fgets(line, sizeof line, stdin)) {
		fflush(stdout);
		command(line);
		printf(".\n");
		fflush(stdout);
	}
	return 0;
}
