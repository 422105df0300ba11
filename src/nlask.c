// SPDX-License-Identifier: GPL-2.0-only
#include "nlask.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

enum {
	NLASK_ANSWER = 32768, /* what the kernel puts into one message, at most */
};

int nlask(int protocol, struct nlmsghdr *request, mnl_cb_t take, void *data)
{
	struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	char answer[NLASK_ANSWER];
	ssize_t len;
	int err = 0, more = MNL_CB_OK;

	if (!socket)
		return -errno;
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = (uint32_t)time(NULL);
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) {
		err = -errno;
	}
	while (!err && more > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(socket, answer, sizeof(answer));
		if (len >= 0)
			more = mnl_cb_run(answer, (size_t)len, request->nlmsg_seq, mnl_socket_get_portid(socket), take, data);
		if (len < 0 || more < 0)
			err = -errno;
	}
	mnl_socket_close(socket);
	return err;
}
